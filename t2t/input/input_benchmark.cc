#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/rng.h"
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
      for (const int64_t id : batch.at(name).ints) tokens += id != 0;
      padded += static_cast<int64_t>(batch.at(name).ints.size());
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

}  // namespace
}  // namespace t2t
