// How much genes are expressed along a DNA (Kelley et al. 2018, "Sequential
// regulatory activity prediction across chromosomes with convolutional neural
// networks"). T2T's data_generators/gene_expression.py and dna_encoder.py.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "problems/all_problems.h"
#include "problems/corpora.h"
#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/formats/hdf5.h"
#include "t2t/problem/record_fields.h"
#include "t2t/problem/sample_source.h"
#include "t2t/text/text_encoder.h"

namespace t2t {
namespace {

using Strings = std::vector<std::string>;

// In the order of their ids; '0' fills up the last chunk, 'N' is unknown.
constexpr char kBases[] = "0ACGNT";
// In the order of the file's columns.
constexpr char kColumns[] = "ACTG";
constexpr size_t kChunk = 4;
// So many bases have one row of numbers.
constexpr int64_t kBasesOfRow = 128;
constexpr int64_t kPredictions = 10;
// T2T's SpaceIDs.
constexpr int64_t kDna = 23;
constexpr int64_t kReal = 24;

// Chunks of four bases, an id each.
class DnaEncoder : public TextEncoder {
 public:
  DnaEncoder() {
    for (const char a : {'A', 'C', 'G', 'N', 'T'}) Add(std::string(1, a));
  }

  std::vector<int64_t> Encode(std::string_view text) const override {
    std::vector<int64_t> ids;
    for (size_t at = 0; at < text.size(); at += kChunk) {
      std::string chunk(text.substr(at, kChunk));
      chunk.resize(kChunk, kBases[0]);
      const auto found = ids_.find(chunk);
      if (found == ids_.end()) {
        throw DataError("'" + chunk + "' is no part of a DNA",
                        "the bases A, C, T and G, and N");
      }
      ids.push_back(found->second);
    }
    return ids;
  }

  std::string Decode(const std::vector<int64_t>& ids,
                     bool strip_extraneous) const override {
    std::string text;
    for (const int64_t id : ids) {
      if (strip_extraneous && id < kNumReservedTokens) continue;
      text += DecodeList({id}).at(0);
    }
    return text;
  }

  Strings DecodeList(const std::vector<int64_t>& ids) const override {
    Strings texts;
    for (const int64_t id : ids) {
      if (id == kPadId || id == kEosId) {
        texts.emplace_back(id == kPadId ? "<pad>" : "<EOS>");
        continue;
      }
      const int64_t place = id - kNumReservedTokens;
      const bool known = place >= 0 && id < vocab_size();
      std::string chunk = known ? chunks_[static_cast<size_t>(place)] : "";
      chunk.resize(std::min(chunk.find(kBases[0]), chunk.size()));
      texts.push_back(std::move(chunk));
    }
    return texts;
  }

  int64_t vocab_size() const override {
    return static_cast<int64_t>(chunks_.size()) + kNumReservedTokens;
  }

 private:
  // All chunks that begin so, in the order of their letters.
  void Add(const std::string& start) {
    if (start.size() == kChunk) {
      ids_[start] = vocab_size();
      chunks_.push_back(start);
      return;
    }
    for (const char* base = kBases; *base != 0; ++base) {
      // Behind a filling there is nothing else.
      if (start.back() == kBases[0] && *base != kBases[0]) break;
      Add(start + *base);
    }
  }

  Strings chunks_;
  std::map<std::string, int64_t> ids_;
};

// The bases of rows of four flags, one of which is set, or none: unknown.
std::string BasesOf(const std::vector<uint8_t>& flags) {
  std::string bases;
  for (size_t at = 0; at + kChunk <= flags.size(); at += kChunk) {
    char base = 'N';
    for (size_t column = 0; column < kChunk; ++column) {
      if (flags[at + column] == 0) continue;
      if (base != 'N') {
        throw DataError("two bases are at place " + std::to_string(at / kChunk),
                        "one of A, C, T and G, or none");
      }
      base = kColumns[column];
    }
    bases += base;
  }
  return bases;
}

Example ExampleOf(const Hdf5File& file, const std::string& split, int64_t row) {
  const std::vector<int64_t> inputs = file.Shape(split + "_in");
  const std::vector<int64_t> outputs = file.Shape(split + "_out");
  const std::vector<int64_t> mask = file.Shape(split + "_na");
  if (inputs.size() != 3 || inputs[2] != kChunk || outputs.size() != 3 ||
      outputs[2] != kPredictions || mask.size() != 2 || mask[1] != outputs[1] ||
      inputs[1] != kBasesOfRow * outputs[1] || outputs[0] != inputs[0] ||
      mask[0] != inputs[0]) {
    throw DataError("its data sets " + split + "_* are of other shapes",
                    "_in [n, 128 * m, 4], _na [n, m] and _out [n, m, 10]");
  }
  const std::vector<uint8_t> flags = file.Bytes(split + "_na", row);
  Example example;
  example.features["inputs"] = Strings{BasesOf(file.Bytes(split + "_in", row))};
  example.features["targets"] = file.Floats(split + "_out", row);
  example.features["targets_mask"] =
      std::vector<float>(flags.begin(), flags.end());
  example.features["targets_shape"] =
      std::vector<int64_t>{outputs[1], outputs[2]};
  return example;
}

NextExample ReadExpression(const SampleFiles& files) {
  const std::string path = files.Paths().at(0);
  const std::string split = files.split == DataSplit::kTrain ? "train"
                            : files.split == DataSplit::kDev ? "valid"
                                                             : "test";
  auto file = std::make_shared<const Hdf5File>(path);
  const int64_t rows = file->Shape(split + "_in").at(0);
  return [=, row = int64_t{0}](Example* example) mutable {
    if (row == rows) return false;
    try {
      *example = ExampleOf(*file, split, row++);
    } catch (const Error& error) {
      throw Error(error.code(), path + ", example " + std::to_string(row) +
                                    " of " + split + ": " + error.what());
    }
    return true;
  };
}

// A model of genes has as many rows of outputs as the inputs' length says.
Step DropEos() {
  return {.name = "drop EOS",
          .run =
              [](Example* example, const StepContext&) {
                std::vector<int64_t> ids = example->Ints("inputs");
                if (!ids.empty()) ids.pop_back();
                example->features["inputs"] = std::move(ids);
                return true;
              },
          .lengths = [](Mode, const HParams&) -> LengthsStep {
            return [](ExampleLengths* lengths) {
              FeatureLength* const inputs = lengths->Find("inputs");
              if (inputs != nullptr && inputs->count > 0) --inputs->count;
              return true;
            };
          }};
}

Problem Expression(const std::string& name, const std::string& corpus) {
  Problem problem;
  problem.name = name;
  problem.data_name = name;
  problem.corpora = {OfAll(CorpusNamed(corpus))};
  problem.splits = {{DataSplit::kTrain, 100, true},
                    {DataSplit::kDev, 10, true},
                    {DataSplit::kTest, 10, true}};
  problem.metrics = {"log_poisson", "r_squared"};
  FeatureSpec& inputs = problem.features["inputs"];
  inputs.vocabulary.kind = Vocabulary::Kind::kCustom;
  inputs.vocabulary.load = [](const std::string&) {
    return std::make_shared<DnaEncoder>();
  };
  inputs.space_id = kDna;
  FeatureSpec& targets = problem.features["targets"];
  targets.modality = "real_log_poisson";
  targets.vocabulary.size = kPredictions;
  targets.shape = {-1, 1, kPredictions};
  targets.ends_at_eos = false;
  targets.space_id = kReal;
  problem.steps = {RenameFields({{"inputs", "inputs"}, {"targets", "targets"}}),
                   DropEos()};
  ReadBy({.read = ReadExpression}, &problem);
  return problem;
}

}  // namespace

void RegisterGenomics(ProblemRegistry& problems) {
  for (const std::string name : {"cage10", "gm12878", "l262k"}) {
    problems.Add("genomics_expression_" + name, [name] {
      return Expression("genomics_expression_" + name, "genes_" + name);
    });
  }
}

}  // namespace t2t
