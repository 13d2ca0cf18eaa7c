#ifndef T2T_PROBLEM_ENCODED_EXAMPLES_H_
#define T2T_PROBLEM_ENCODED_EXAMPLES_H_

#include <map>
#include <memory>
#include <string>

#include "t2t/problem/source.h"
#include "t2t/text/text_encoder.h"

namespace t2t {

// How a feature's text becomes ids.
struct FeatureEncoder {
  std::shared_ptr<const TextEncoder> encoder;
  bool appends_eos = true;
  std::string prefix;
  std::string joined_by;
};
using FeatureEncoders = std::map<std::string, FeatureEncoder>;

// Of the problem's features; reads the vocabularies in data_dir.
FeatureEncoders LoadEncoders(const Problem& problem,
                             const std::string& data_dir);

// A source's samples with their texts as ids. `encoders` must live as long.
std::unique_ptr<ExampleSource> EncodedExamples(
    std::unique_ptr<ExampleSource> samples, const FeatureEncoders& encoders);

// What `regroup` makes of them; they are made on `threads` threads.
std::unique_ptr<ExampleSource> RegroupedExamples(
    std::unique_ptr<ExampleSource> encoded, const Regroup& regroup,
    uint64_t seed, int threads);

}  // namespace t2t

#endif  // T2T_PROBLEM_ENCODED_EXAMPLES_H_
