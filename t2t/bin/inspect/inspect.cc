#include "t2t/bin/inspect/inspect.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/plural.h"
#include "t2t/base/progress.h"
#include "t2t/base/strings.h"
#include "t2t/formats/encoded_image.h"
#include "t2t/formats/png.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/problem/modality_traits.h"

namespace t2t {
namespace {

constexpr size_t kShownIds = 12;
constexpr size_t kShownText = 300;
constexpr int kBar = 40;

int64_t LengthOf(const Feature& feature) {
  return std::visit(
      [](const auto& values) { return static_cast<int64_t>(values.size()); },
      feature);
}

bool IsText(const FeatureInfo& info) {
  return TraitsOfModality(info.modality).is_symbols;
}

// On one line, and not without end.
std::string OnOneLine(std::string text, bool full) {
  text = ReplaceAll(ReplaceAll(std::move(text), "\n", "\\n"), "\r", "\\r");
  if (full || text.size() <= kShownText) return text;
  size_t end = kShownText;
  // (Not within a character of UTF-8.)
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return text.substr(0, end) + Format("... (%zu bytes)", text.size());
}

// The ids of a feature of the model's, as text.
std::string TextOf(const FeatureInfo& info, const std::vector<int64_t>& ids) {
  if (info.encoder == nullptr) return "";
  if (info.ends_at_eos) return info.encoder->Decode(ids, true);
  return info.encoder->Decode(ids);
}

Json ShownFeature(const Feature& feature, const FeatureInfo* info, bool full) {
  Json shown = Json::Object();
  shown.Set("length", LengthOf(feature));
  const std::vector<int64_t> ids = IntegersOf(feature);
  if (!ids.empty()) {
    Json numbers = Json::Array();
    for (size_t i = 0; i < ids.size() && (full || i < kShownIds); ++i) {
      numbers.Append(ids[i]);
    }
    shown.Set("ids", std::move(numbers));
    const bool is_image =
        info != nullptr && TraitsOfModality(info->modality).is_image;
    if (info != nullptr && !is_image) {
      shown.Set("text", OnOneLine(TextOf(*info, ids), full));
    }
  } else if (const auto* const floats =
                 std::get_if<std::vector<float>>(&feature)) {
    Json numbers = Json::Array();
    for (size_t i = 0; i < floats->size() && (full || i < kShownIds); ++i) {
      numbers.Append(static_cast<double>((*floats)[i]));
    }
    shown.Set("numbers", std::move(numbers));
  } else if (const auto* const texts =
                 std::get_if<std::vector<std::string>>(&feature);
             texts != nullptr && texts->size() == 1) {
    shown.Set("bytes", static_cast<int64_t>((*texts)[0].size()));
  }
  return shown;
}

// An image of a record, as PNG; nullopt: the feature is none.
std::optional<std::string> PngOf(const Example& example,
                                 const std::string& name,
                                 const FeatureInfo& info) {
  if (!TraitsOfModality(info.modality).is_image) return std::nullopt;
  const auto found = example.features.find(name);
  if (found == example.features.end() || info.shape.size() != 3) {
    return std::nullopt;
  }
  const std::vector<int64_t> values = IntegersOf(found->second);
  const int64_t size = info.shape[0] * info.shape[1] * info.shape[2];
  if (static_cast<int64_t>(values.size()) != size) return std::nullopt;
  Image image{info.shape[0], info.shape[1], info.shape[2], {}};
  for (const int64_t value : values) {
    image.pixels.push_back(
        static_cast<uint8_t>(std::clamp<int64_t>(value, 0, 255)));
  }
  return EncodePng(image);
}

class Inspector {
 public:
  Inspector(const Problem& problem, const InspectOptions& options)
      : problem_(problem),
        options_(options),
        info_(problem.Info(options.data_dir)) {
    found_.max_length = MaxLength();
  }

  Inspection Run() {
    const auto files = problem_.DataFiles(options_.data_dir, options_.split);
    found_.files = static_cast<int64_t>(files.size());
    if (!options_.png_dir.empty()) MakeDirectories(options_.png_dir);
    for (const std::string& file : files) {
      TfRecordReader reader(file);
      std::string record;
      for (int64_t number = 0; !IsEnough() && reader.Next(&record); ++number) {
        try {
          Take(ParseExample(record), file);
        } catch (const Error& error) {
          throw DataError(file + ", record " + std::to_string(number) + ": " +
                          error.what());
        }
      }
    }
    return std::move(found_);
  }

 private:
  // 0 where training under these hparams leaves no length out.
  int64_t MaxLength() const {
    const bool is_text = IsText(info_.features.at("targets"));
    if (!is_text || !options_.hparams.Has("max_length")) return 0;
    const int64_t length = options_.hparams.GetInt("max_length");
    return length > 0 ? length : options_.hparams.GetInt("batch_size");
  }

  bool IsEnough() const {
    return options_.max_records > 0 && found_.records >= options_.max_records;
  }

  const FeatureInfo* InfoOf(const std::string& name) const {
    const auto found = info_.features.find(name);
    return found == info_.features.end() ? nullptr : &found->second;
  }

  void Take(const Example& example, const std::string& file) {
    for (const auto& [name, feature] : example.features) {
      CountFeature(name, feature);
    }
    if (found_.records < options_.records) Show(example, file);
    if (!options_.png_dir.empty()) WriteImages(example);
    CountCuts(example);
    ++found_.records;
  }

  void CountFeature(const std::string& name, const Feature& feature) {
    FeatureCounts& counts = found_.features[name];
    ++counts.records_by_length[LengthOf(feature)];
    const FeatureInfo* const info = InfoOf(name);
    if (info == nullptr || !IsText(*info)) return;
    counts.is_text = true;
    const int64_t unknown =
        info->encoder == nullptr ? -1 : info->encoder->unknown_id();
    counts.has_unknown = unknown >= 0;
    const std::vector<int64_t> ids = IntegersOf(feature);
    counts.ids += static_cast<int64_t>(ids.size());
    if (unknown < 0) return;
    counts.unknown += std::count(ids.begin(), ids.end(), unknown);
  }

  void Show(const Example& example, const std::string& file) {
    Json shown = Json::Object();
    shown.Set("record", found_.records);
    shown.Set("file", file.substr(file.rfind('/') + 1));
    Json features = Json::Object();
    for (const auto& [name, feature] : example.features) {
      features.Set(name, ShownFeature(feature, InfoOf(name), options_.full));
    }
    shown.Set("features", std::move(features));
    found_.shown.push_back(std::move(shown));
  }

  // Those of the records that are shown; with --records=0 none.
  void WriteImages(const Example& example) {
    if (found_.records >= options_.records) return;
    const auto write = [&](const std::string& name, const std::string& png) {
      WriteFileAtomically(
          JoinPath(options_.png_dir,
                   Format("%s-%s-%06d-%s.png", problem_.name.c_str(),
                          SplitName(options_.split).c_str(),
                          static_cast<int>(found_.records), name.c_str())),
          png);
      ++found_.images;
    };
    if (example.Has("image/encoded")) {
      write("image", EncodePng(DecodeEncodedImage(
                         example.Strings("image/encoded").at(0), 3)));
      return;
    }
    for (const auto& [name, info] : info_.features) {
      if (const auto png = PngOf(example, name, info)) write(name, *png);
    }
  }

  // What the steps before the first that draws do to lengths in training.
  void CountCuts(const Example& example) {
    Example prepared = example;
    if (!problem_.RunFixedSteps(&prepared, Mode::kTrain, options_.hparams)) {
      ++found_.dropped;
      return;
    }
    bool cut = false;
    int64_t longest = 0;
    for (const auto& [name, info] : info_.features) {
      const auto after = prepared.features.find(name);
      if (after == prepared.features.end() || !IsText(info)) continue;
      const int64_t length = LengthOf(after->second);
      longest = std::max(longest, length);
      const auto before = example.features.find(name);
      cut = cut || (before != example.features.end() &&
                    length < LengthOf(before->second));
    }
    found_.cut += cut ? 1 : 0;
    if (found_.max_length > 0 && longest > found_.max_length) {
      ++found_.left_out;
    }
  }

  const Problem& problem_;
  const InspectOptions& options_;
  const ProblemInfo info_;
  Inspection found_;
};

// Lengths by doubling steps: 1, 2 to 3, 4 to 7, and so on.
struct Bucket {
  int64_t from = 0;
  int64_t to = 0;
  int64_t count = 0;
};

std::vector<Bucket> Histogram(const FeatureCounts& counts) {
  std::vector<Bucket> buckets;
  for (const auto& [length, count] : counts.records_by_length) {
    int64_t from = length == 0 ? 0 : 1;
    while (from > 0 && from * 2 <= length) from *= 2;
    if (buckets.empty() || buckets.back().from != from) {
      buckets.push_back({from, std::max<int64_t>(from * 2 - 1, 0), 0});
    }
    buckets.back().count += count;
  }
  return buckets;
}

// "3 of 500 records (0.60 %)".
std::string Share(int64_t part, int64_t of, const char* what) {
  const double percent = 100.0 * static_cast<double>(part) /
                         static_cast<double>(std::max<int64_t>(of, 1));
  return Format("%s of %s %s (%.2f %%)", GroupedText(part).c_str(),
                GroupedText(of).c_str(), what, percent);
}

std::string HistogramText(const FeatureCounts& counts) {
  int64_t most = 1;
  const std::vector<Bucket> buckets = Histogram(counts);
  for (const Bucket& bucket : buckets) most = std::max(most, bucket.count);
  std::string text;
  for (const Bucket& bucket : buckets) {
    const std::string range =
        bucket.from == bucket.to
            ? std::to_string(bucket.from)
            : std::to_string(bucket.from) + "-" + std::to_string(bucket.to);
    const auto bar = static_cast<size_t>(std::ceil(
        static_cast<double>(kBar * bucket.count) / static_cast<double>(most)));
    text += Format("    %13s  %-40s  %s\n", range.c_str(),
                   std::string(bar, '#').c_str(),
                   GroupedText(bucket.count).c_str());
  }
  return text;
}

std::string ShownText(const Json& record) {
  std::string text =
      Format("record %d of %s\n", static_cast<int>(record.At("record").AsInt()),
             record.At("file").AsString().c_str());
  for (const auto& [name, feature] : record.At("features").members()) {
    std::string line = "  " + name;
    line.append(line.size() < 12 ? 12 - line.size() : 0, ' ');
    line += Format("  %5lld ",
                   static_cast<long long>(feature.At("length").AsInt()));
    const char* const list = feature.Find("ids") != nullptr ? "ids" : "numbers";
    if (const Json* const numbers = feature.Find(list)) {
      for (const Json& number : numbers->items()) {
        line += " " + (number.is_int() ? std::to_string(number.AsInt())
                                       : Format("%g", number.AsDouble()));
      }
      const auto shown = static_cast<int64_t>(numbers->items().size());
      if (shown < feature.At("length").AsInt()) line += " ...";
    }
    if (const Json* const bytes = feature.Find("bytes")) {
      line += " of " + GroupedText(bytes->AsInt()) + " bytes";
    }
    text += line + "\n";
    const Json* const words = feature.Find("text");
    if (words != nullptr && !words->AsString().empty()) {
      text += "                     " + words->AsString() + "\n";
    }
  }
  return text;
}

}  // namespace

int64_t FeatureCounts::records() const {
  int64_t sum = 0;
  for (const auto& [length, count] : records_by_length) sum += count;
  return sum;
}

double FeatureCounts::Mean() const {
  double sum = 0;
  for (const auto& [length, count] : records_by_length) {
    sum += static_cast<double>(length) * static_cast<double>(count);
  }
  return sum / std::max(1.0, static_cast<double>(records()));
}

int64_t FeatureCounts::Quantile(double share) const {
  const double wanted = share * static_cast<double>(records());
  double seen = 0;
  for (const auto& [length, count] : records_by_length) {
    seen += static_cast<double>(count);
    if (seen >= wanted) return length;
  }
  return 0;
}

Inspection Inspect(const Problem& problem, const InspectOptions& options) {
  return Inspector(problem, options).Run();
}

std::string InspectionText(const Problem& problem,
                           const InspectOptions& options,
                           const Inspection& inspection) {
  std::string text;
  for (const Json& record : inspection.shown) text += ShownText(record) + "\n";
  text += problem.name + ", " + SplitName(options.split) + ": " +
          GroupedText(inspection.records) + " " +
          Plural(inspection.records, "record") + " of " +
          Count(inspection.files, "file") + "\n";
  for (const auto& [name, counts] : inspection.features) {
    text += Format(
        "  %s: length %lld to %lld, mean %.1f, median %lld, "
        "99 %% up to %lld\n",
        name.c_str(), static_cast<long long>(counts.Quantile(0)),
        static_cast<long long>(counts.Quantile(1)), counts.Mean(),
        static_cast<long long>(counts.Quantile(0.5)),
        static_cast<long long>(counts.Quantile(0.99)));
    if (counts.records() < inspection.records) {
      text += "    in " +
              Share(counts.records(), inspection.records, "records") + "\n";
    }
    if (counts.is_text) text += HistogramText(counts);
    if (counts.has_unknown) {
      text += "    unknown words: " + Share(counts.unknown, counts.ids, "ids") +
              "\n";
    }
  }
  const auto tell = [&](const char* what, int64_t count) {
    text += Format("  %s: %s\n", what,
                   Share(count, inspection.records, "records").c_str());
  };
  tell("cut in training", inspection.cut);
  if (inspection.dropped > 0) {
    tell("dropped by the problem's steps", inspection.dropped);
  }
  if (inspection.max_length > 0) {
    tell(Format("left out of training, longer than %lld",
                static_cast<long long>(inspection.max_length))
             .c_str(),
         inspection.left_out);
  }
  if (!options.png_dir.empty()) {
    text += "  " + Count(inspection.images, "image") + " written into " +
            options.png_dir + "\n";
  }
  return text;
}

Json InspectionJson(const Problem& problem, const InspectOptions& options,
                    const Inspection& inspection) {
  Json json = Json::Object();
  json.Set("problem", problem.name);
  json.Set("split", SplitName(options.split));
  json.Set("records", inspection.records);
  json.Set("files", inspection.files);
  Json features = Json::Object();
  for (const auto& [name, counts] : inspection.features) {
    Json facts = Json::Object();
    facts.Set("records", counts.records());
    facts.Set("least", counts.Quantile(0));
    facts.Set("mean", counts.Mean());
    facts.Set("median", counts.Quantile(0.5));
    facts.Set("percentile_99", counts.Quantile(0.99));
    facts.Set("most", counts.Quantile(1));
    Json histogram = Json::Array();
    for (const Bucket& bucket : Histogram(counts)) {
      Json bar = Json::Object();
      bar.Set("from", bucket.from);
      bar.Set("to", bucket.to);
      bar.Set("records", bucket.count);
      histogram.Append(std::move(bar));
    }
    facts.Set("histogram", std::move(histogram));
    if (counts.is_text) facts.Set("ids", counts.ids);
    if (counts.has_unknown) facts.Set("unknown", counts.unknown);
    features.Set(name, std::move(facts));
  }
  json.Set("features", std::move(features));
  json.Set("cut", inspection.cut);
  json.Set("dropped", inspection.dropped);
  if (inspection.max_length > 0) {
    json.Set("max_length", inspection.max_length);
    json.Set("left_out", inspection.left_out);
  }
  Json shown = Json::Array();
  for (const Json& record : inspection.shown) shown.Append(record);
  json.Set("shown", std::move(shown));
  return json;
}

}  // namespace t2t
