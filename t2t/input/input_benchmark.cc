#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
#include "t2t/formats/png.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/input/input.h"

namespace t2t {
namespace {

// 100,000 pairs of sentences in 10 shards.
const std::vector<std::string>& Shards() {
  static const auto* shards = [] {
    auto* files = new std::vector<std::string>();
    const std::string folder = MakeTempDirectory("input_benchmark");
    Rng rng(1);
    for (int s = 0; s < 10; ++s) {
      files->push_back(JoinPath(folder, std::to_string(s)));
      TfRecordWriter writer(files->back());
      for (int i = 0; i < 10000; ++i) {
        Example example;
        for (const char* name : {"inputs", "targets"}) {
          std::vector<int64_t> ids(5 + rng.Below(40));
          for (int64_t& id : ids)
            id = 1 + static_cast<int64_t>(rng.Below(8000));
          example.features[name] = ids;
        }
        writer.Write(SerializeExample(example));
      }
      writer.Commit();
    }
    return files;
  }();
  return *shards;
}

constexpr int64_t kSide = 32;
constexpr int64_t kRow = kSide * 3;

// 20,000 images of 32 x 32 pixels as PNG, of about the size of CIFAR's.
const std::vector<std::string>& ImageShards() {
  static const auto* shards = [] {
    auto* files = new std::vector<std::string>();
    const std::string folder = MakeTempDirectory("input_benchmark");
    Rng rng(2);
    for (int s = 0; s < 10; ++s) {
      files->push_back(JoinPath(folder, std::to_string(s)));
      TfRecordWriter writer(files->back());
      for (int i = 0; i < 2000; ++i) {
        Image image{kSide, kSide, 3, std::vector<uint8_t>(kSide * kRow)};
        const uint64_t slope = rng.Below(6);
        for (size_t p = 0; p < image.pixels.size(); ++p) {
          image.pixels[p] =
              static_cast<uint8_t>(p / kRow * slope + rng.Below(24));
        }
        Example example;
        example.features["image/encoded"] =
            std::vector<std::string>{EncodePng(image)};
        example.features["image/class/label"] =
            std::vector<int64_t>{static_cast<int64_t>(rng.Below(10))};
        writer.Write(SerializeExample(example));
      }
      writer.Commit();
    }
    return files;
  }();
  return *shards;
}

// Decodes an image, and each time shifts and standardizes it, as the steps of
// t2t/problem do.
InputOptions ImageOptions() {
  InputOptions options;
  options.files = ImageShards();
  options.batch_size = 128;
  options.shuffle_buffer = 4096;
  options.fixed_shapes["inputs"] = {kSide, kSide, 3};
  options.preprocess = [](Example* example) {
    const Image image = DecodePng(example->Strings("image/encoded")[0], 3);
    example->features["inputs"] = image.pixels;
    example->features["targets"] = example->Ints("image/class/label");
    example->features.erase("image/encoded");
    example->features.erase("image/class/label");
    return true;
  };
  options.lengths = [](ExampleLengths* lengths) {
    const int64_t labels = lengths->Find("image/class/label")->count;
    lengths->Erase("image/encoded");
    lengths->Erase("image/class/label");
    using Kind = FeatureLength::Kind;
    lengths->Set("inputs", Kind::kIntegers, kSide * kRow);
    lengths->Set("targets", Kind::kIntegers, labels);
    return true;
  };
  options.augment = [](Example* example, uint64_t seed) {
    const std::vector<uint8_t>& from = example->Bytes("inputs");
    std::vector<float> to(from.size());
    const uint64_t by = 3 * Rng(seed).Below(5);
    double sum = 0;
    double squares = 0;
    for (const int64_t pixel : from) {
      sum += static_cast<double>(pixel);
      squares += static_cast<double>(pixel * pixel);
    }
    const double mean = sum / static_cast<double>(from.size());
    const double deviation =
        std::sqrt(squares / static_cast<double>(from.size()) - mean * mean);
    for (size_t p = by; p < to.size(); ++p) {
      to[p] = static_cast<float>((static_cast<double>(from[p - by]) - mean) /
                                 deviation);
    }
    example->features["inputs"] = std::move(to);
  };
  return options;
}

// range(0): in memory; range(1): packed.
void NextBatch(benchmark::State& state) {
  InputOptions options;
  options.files = Shards();
  options.cache_bytes = state.range(0) != 0 ? 1 << 30 : 0;
  options.pack = state.range(1) != 0;
  const auto pipeline = MakeInputPipeline(options);
  pipeline->Next();  // reads and parses the first window
  int64_t tokens = 0;
  int64_t padded = 0;
  for (auto _ : state) {
    const Batch batch = *pipeline->Next();
    for (const char* name : {"inputs", "targets"}) {
      const std::vector<int64_t> ids = batch.at(name).Ints();
      tokens += std::count_if(ids.begin(), ids.end(),
                              [](int64_t id) { return id != 0; });
      padded += static_cast<int64_t>(ids.size());
    }
  }
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(tokens),
                                                  benchmark::Counter::kIsRate);
  state.counters["filled"] =
      static_cast<double>(tokens) / static_cast<double>(padded);
}
BENCHMARK(NextBatch)
    ->ArgNames({"in_memory", "pack"})
    ->ArgsProduct({{1, 0}, {0, 1}})
    ->Iterations(4000)
    ->UseRealTime();

// A step of 8 batches, read by one of range(0) ranks: the CPU time is of all
// its threads. range(1): images; range(2): in memory.
void OneRanksStep(benchmark::State& state) {
  InputOptions options;
  if (state.range(1) != 0) {
    options = ImageOptions();
  } else {
    options.files = Shards();
  }
  options.cache_bytes = state.range(2) != 0 ? 1 << 30 : 0;
  const auto pipeline = MakeInputPipeline(options);
  std::vector<int64_t> own;
  for (int64_t i = 0; i < 8; i += state.range(0)) own.push_back(i);
  const auto step = [&] {
    benchmark::DoNotOptimize(pipeline->NextRound(8, own));
  };
  step();  // reads the first window
  for (auto _ : state) step();
}
BENCHMARK(OneRanksStep)
    ->ArgNames({"ranks", "images", "in_memory"})
    ->ArgsProduct({{1, 2, 4, 8}, {0, 1}, {0, 1}})
    ->Iterations(150)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace t2t
