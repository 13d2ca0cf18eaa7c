// Every row: held to T2T's values, to the key table and to the catalogue.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hparams/all_hparams.h"
#include "hparams/catalogue.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/hparams/keys.h"

namespace t2t {
namespace {

const std::set<std::string>& OwnSets() {
  static const auto* const sets =
      new std::set<std::string>{"transformer_multi30k", "transformer_numbers"};
  return *sets;
}

bool IsOwnKey(const std::string& key) {
  return key == "attention_masks_padding" || key == "gates_inputs";
}

std::string NumberText(double value) { return Format("%.17g", value); }

template <typename T, typename ToText>
std::string ListText(const std::vector<T>& list, const ToText& to_text) {
  std::vector<std::string> items;
  for (const T& item : list) items.push_back(to_text(item));
  return Join(items, ",");
}

// As tools/golden/hparams_sets.py writes a value.
std::string ValueText(const HParams::Value& value) {
  if (const auto* v = std::get_if<bool>(&value)) {
    return std::string("bool=") + (*v ? "1" : "0");
  }
  if (const auto* v = std::get_if<int64_t>(&value)) {
    return "int=" + std::to_string(*v);
  }
  if (const auto* v = std::get_if<double>(&value)) {
    return "number=" + NumberText(*v);
  }
  if (const auto* v = std::get_if<std::string>(&value)) return "text=" + *v;
  if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) {
    return "ints=" + ListText(*v, [](int64_t i) { return std::to_string(i); });
  }
  if (const auto* v = std::get_if<std::vector<double>>(&value)) {
    return "numbers=" + ListText(*v, NumberText);
  }
  return "texts=" + Join(std::get<std::vector<std::string>>(value), ",");
}

std::string Fnv1a(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::string& line : lines) {
    for (const char c : line) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  }
  return Format("%016llx", static_cast<unsigned long long>(hash));
}

struct RangeText {
  int Code(RangedHParams::Scale scale) const { return static_cast<int>(scale); }
  std::string operator()(const RangedHParams::Categorical& range) const {
    return "one_of=" + Join(range.categories, ",");
  }
  std::string operator()(const RangedHParams::Discrete& range) const {
    return "points=" + ListText(range.points, NumberText) +
           " scale=" + std::to_string(Code(range.scale));
  }
  std::string operator()(const RangedHParams::Float& range) const {
    return "float=" + NumberText(range.min) + "," + NumberText(range.max) +
           " scale=" + std::to_string(Code(range.scale));
  }
  std::string operator()(const RangedHParams::Int& range) const {
    return "int=" + std::to_string(range.min) + "," +
           std::to_string(range.max) +
           " scale=" + std::to_string(Code(range.scale));
  }
};

// Name -> "<number of values> <hash>".
std::map<std::string, std::string> ReadGolden(const std::string& path) {
  std::map<std::string, std::string> golden;
  for (const std::string& line : Split(ReadFile(path), '\n')) {
    if (line.empty() || line[0] == '#') continue;
    const size_t blank = line.find(' ');
    golden[line.substr(0, blank)] = line.substr(blank + 1);
  }
  return golden;
}

std::string Summary(const std::vector<std::string>& lines) {
  return std::to_string(lines.size()) + " " + Fnv1a(lines);
}

TEST(RowsTest, EverySetIsT2Ts) {
  const auto golden = ReadGolden("tests/golden/hparams/sets.txt");
  EXPECT_EQ(golden.size(), 791U);
  for (const auto& [set, summary] : golden) {
    ASSERT_TRUE(AllHParams().Has(set)) << set;
    const HParams hparams = AllHParams().Resolve(set);
    std::vector<std::string> lines;
    for (const std::string& key : hparams.Names()) {
      if (IsOwnKey(key)) continue;
      lines.push_back(key + ":" + ValueText(hparams.Get(key)) + "\n");
    }
    EXPECT_EQ(Summary(lines), summary) << set;
  }
  for (const std::string& set : AllHParams().Sets()) {
    EXPECT_EQ(golden.count(set), 1U - OwnSets().count(set)) << set;
  }
}

TEST(RowsTest, EveryRangeIsT2Ts) {
  const auto golden = ReadGolden("tests/golden/hparams/ranges.txt");
  EXPECT_EQ(golden.size(), 53U);
  for (const std::string& name : AllHParams().Ranges()) {
    RangedHParams ranges;
    AllHParams().ResolveRange(name, &ranges);
    std::vector<std::string> lines;
    for (const auto& [key, range] : ranges.ranges()) {
      lines.push_back(key + ":" + std::visit(RangeText{}, range) + "\n");
      // "loop.game": of the set that the loop's set names. T2T has one range of
      // an hparam that no set of it has.
      const std::string bare = key.substr(key.find('.') + 1);
      if (name == "rlmf_proportional_epoch_length" && bare == key) continue;
      EXPECT_NE(FindHParamKey(bare), nullptr) << name << " " << key;
    }
    const auto found = golden.find(name);
    ASSERT_NE(found, golden.end()) << name;
    EXPECT_EQ(Summary(lines), found->second) << name;
  }
  EXPECT_EQ(AllHParams().Ranges().size(), golden.size());
}

// ../shared/parity beside the checkout that this test was built from; "" where
// it is not there.
std::string ParityFolder() {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path folder =
      fs::canonical("tests/golden/hparams/sets.txt", error).parent_path();
  for (int i = 0; i < 3; ++i) folder = folder.parent_path();
  const fs::path parity = folder.parent_path() / "shared" / "parity";
  return fs::exists(parity / "hparams.json", error) ? parity.string() : "";
}

// T2T's values of a set, its bases' included.
std::map<std::string, Json> T2TValues(const Json& sets,
                                      const std::string& set) {
  const Json& row = sets.At(set);
  std::map<std::string, Json> values;
  if (row.Find("values") == nullptr) {
    values = T2TValues(sets, row.At("base").AsString());
  }
  const Json& own = row.Find("values") ? row.At("values") : row.At("set");
  for (const auto& [key, value] : own.members()) values[key] = value;
  if (const Json* const removed = row.Find("removed")) {
    for (const Json& key : removed->items()) values.erase(key.AsString());
  }
  return values;
}

std::string FunctionsText(const Json& functions) {
  std::map<std::string, std::string> by_feature;
  for (const auto& [feature, function] : functions.members()) {
    by_feature[feature] = ReplaceAll(function.AsString(), "fn:", "");
  }
  std::vector<std::string> items;
  for (const auto& [feature, function] : by_feature) {
    items.push_back(feature + ":" + function);
  }
  return Join(items, ",");
}

bool IsFunctions(const std::string& key) {
  return key == "bottom" || key == "loss" || key == "name" || key == "top" ||
         key == "weights_fn";
}

// Whether a value is T2T's, as t2t/hparams/rows.h says how T2T's are written.
bool Same(const std::string& key, const Json& theirs, const Json& ours) {
  if (theirs.is_null()) {
    if (ours.is_string()) return ours.AsString() == "none";
    if (ours.is_array()) return ours.items().empty();
    return ours.AsDouble() == (key == "keep_prob" ? 1.0 : 0.0);
  }
  if (IsFunctions(key)) return ours.AsString() == FunctionsText(theirs);
  if (StartsWith(key, "noising_spec_")) {
    const Json parsed = Json::Parse(ours.AsString());
    if (parsed.is_array()) return parsed.ToString() == theirs.ToString();
    for (const auto& [name, value] : theirs.members()) {
      const Json* const own = parsed.Find(name);
      if (own == nullptr) return false;
      if (!value.is_object() && own->ToString() != value.ToString()) {
        return false;
      }
    }
    return parsed.members().size() == theirs.members().size();
  }
  if (key == "use_fixed_batch_size" && theirs.is_array()) return ours.AsBool();
  if (key == "use_td" && theirs.is_bool()) return ours.AsString() == "none";
  if (ours.is_bool() && theirs.is_int()) {
    return ours.AsBool() == (theirs.AsInt() != 0);
  }
  if (ours.is_array()) {
    if (!theirs.is_array() || ours.items().size() != theirs.items().size()) {
      return false;
    }
    for (size_t i = 0; i < ours.items().size(); ++i) {
      const Json& one = theirs.items()[i];
      const Json& own = ours.items()[i];
      if (one.is_bool() ? own.AsInt() != (one.AsBool() ? 1 : 0)
                        : !Same("", one, own)) {
        return false;
      }
    }
    return true;
  }
  if (ours.is_number() && theirs.is_number()) {
    return ours.AsDouble() == theirs.AsDouble();
  }
  return ours.ToString() == theirs.ToString();
}

TEST(RowsTest, EveryValueIsT2TsWhereItsFilesAreThere) {
  const std::string folder = ParityFolder();
  if (folder.empty()) GTEST_SKIP() << "there is no ../shared/parity";
  const Json sets = Json::Parse(ReadFile(folder + "/hparams.json"));
  int compared = 0;
  for (const auto& [set, row] : sets.members()) {
    if (row.Find("error") != nullptr) continue;
    ASSERT_TRUE(AllHParams().Has(set)) << set;
    const Json ours = AllHParams().Resolve(set).ToJsonValue();
    size_t expected = 0;
    for (const auto& [key, theirs] : T2TValues(sets, set)) {
      if (IsFunctions(key) && theirs.members().empty()) continue;
      const Json* const own = ours.Find(std::string(Trim(key)));
      ASSERT_NE(own, nullptr) << set << " has no " << key;
      EXPECT_TRUE(Same(key, theirs, *own))
          << set << " " << key << ": " << own->ToString() << ", T2T's is "
          << theirs.ToString();
      ++expected;
    }
    size_t own_values = 0;
    for (const auto& [key, value] : ours.members()) {
      own_values += IsOwnKey(key) ? 0 : 1;
    }
    EXPECT_EQ(own_values, expected) << set;
    ++compared;
  }
  EXPECT_EQ(compared, 791);
}

TEST(RowsTest, KeysAreInTheTableWithTheirTypes) {
  std::set<std::string> used;
  for (const std::string& set : AllHParams().Sets()) {
    const HParams hparams = AllHParams().Resolve(set);
    for (const std::string& key : hparams.Names()) {
      const HParamKey* const row = FindHParamKey(key);
      ASSERT_NE(row, nullptr) << set << " " << key;
      EXPECT_TRUE(row->Takes(hparams.Get(key)))
          << set << " " << key << " is to be " << TypeText(row->type);
      used.insert(key);
    }
  }
  std::set<std::string> names;
  for (const HParamKey* const key : HParamKeys()) {
    EXPECT_TRUE(names.insert(key->name).second) << key->name << " twice";
    EXPECT_EQ(used.count(key->name), 1U) << key->name << " is in no set";
    const std::string help = key->help;
    EXPECT_GT(help.size(), 8U) << key->name;
    EXPECT_TRUE(EndsWith(help, ".")) << key->name;
    if (key->initial) {
      EXPECT_TRUE(key->Takes(key->initial->ToValue())) << key->name;
    }
  }
}

TEST(RowsTest, NoRowRepeatsItsParent) {
  for (const std::string& set : AllHParams().Sets()) {
    const HParamsRow& row = AllHParams().Row(set);
    const std::string parent = row.parent;
    HParams before;
    if (parent == kInitialValues) {
      before = InitialHParams();
    } else if (!parent.empty()) {
      ASSERT_TRUE(AllHParams().Has(parent)) << set;
      before = AllHParams().Resolve(parent);
    }
    std::set<std::string> keys;
    for (const auto& [key, value] : row.values) {
      EXPECT_TRUE(keys.insert(key).second) << set << " has " << key << " twice";
      EXPECT_TRUE(!before.Has(key) || before.Get(key) != value.ToValue())
          << set << " repeats " << key;
    }
    for (const char* const key : row.removed) {
      EXPECT_TRUE(before.Has(key)) << set << " removes " << key;
    }
  }
}

TEST(RowsTest, FamiliesAreInTheCatalogue) {
  for (const std::string& set : AllHParams().Sets()) {
    EXPECT_NE(FindModelFamily(AllHParams().Family(set)), nullptr) << set;
  }
  std::set<std::string> names;
  for (const CatalogueModel& model : CatalogueModels()) {
    EXPECT_TRUE(names.insert(model.name).second) << model.name << " twice";
    EXPECT_NE(FindModelFamily(model.family), nullptr) << model.name;
    const std::string set = model.default_set;
    if (set.empty()) continue;
    ASSERT_TRUE(AllHParams().Has(set)) << model.name;
    EXPECT_EQ(AllHParams().Family(set), model.family) << model.name;
  }
  // T2T's 94.
  EXPECT_EQ(names.size(), 94U);
  std::set<std::string> families;
  for (const ModelFamily& family : ModelFamilies()) {
    EXPECT_TRUE(families.insert(family.name).second) << family.name;
  }
}

TEST(RowsTest, SetsOfAbsentModelsSaySo) {
  const std::string set = "glow_hparams";
  EXPECT_TRUE(HParamsSets().Has(set));
  try {
    MakeHParams(set, "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(
        std::string(error.what())
            .find("of the model family glow, which is not here yet"),
        std::string::npos)
        << error.what();
  }
  EXPECT_EQ(LookUpHParams(set).GetInt("n_levels"), 3);
  EXPECT_EQ(WhyNotHere("transformer_base"), "");
  EXPECT_EQ(WhyNotHere("basic_1"), "");
  EXPECT_NE(WhyNotHere("rlmb_base"), "");
  for (const std::string& here : SetsHere()) {
    EXPECT_NO_THROW(MakeHParams(here, "")) << here;
  }
}

TEST(RowsTest, ANameOfTwoRowsIsABug) {
  static constexpr HParamsRow kTwice[] = {{"a", ""}, {"a", ""}};
  HParamsTable table;
  EXPECT_THROW(table.Add("some", kTwice), Error);
  static constexpr HParamsRangeRow kRangeTwice[] = {{"a", {}}, {"a", {}}};
  EXPECT_THROW(table.AddRanges(kRangeTwice), Error);
}

TEST(RowsTest, ARowChangesAddsAndRemoves) {
  static constexpr HParamsRow kTwo[] = {
      {"a", "", {{"x", 1}, {"y", Ints("")}, {"z", 0.5}}},
      {"b", "a", {{"x", 2}, {"w", Repeat(2, "p,q")}}, "help", {"z"}},
  };
  HParamsTable table;
  table.Add("some", kTwo);
  EXPECT_EQ(table.Resolve("b").ToJson(-1),
            R"({"w": ["p", "q", "p", "q"], "x": 2, "y": []})");
  EXPECT_EQ(table.Family("b"), "some");
  EXPECT_THROW(table.Resolve("c"), Error);
}

}  // namespace
}  // namespace t2t
