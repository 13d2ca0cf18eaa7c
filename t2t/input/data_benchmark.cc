#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/formats/example.h"
#include "t2t/formats/tfrecord.h"
#include "t2t/text/subword.h"
#include "t2t/text/tokenizer.h"

namespace t2t {
namespace {

// T2T_BENCHMARK_TEXT and T2T_BENCHMARK_VOCAB name other files.
std::string FileFor(const char* variable, const char* name) {
  const char* given = std::getenv(variable);
  return given != nullptr ? given : std::string("tests/golden/data/") + name;
}

std::vector<std::string> Lines() {
  const std::string text =
      ReadFile(FileFor("T2T_BENCHMARK_TEXT", "corpus_ende.txt"));
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t newline = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, newline - at));
    at = newline + 1;
  }
  return lines;
}

int64_t Bytes(const std::vector<std::string>& lines) {
  int64_t bytes = 0;
  for (const std::string& line : lines) {
    bytes += static_cast<int64_t>(line.size());
  }
  return bytes;
}

void SetRates(benchmark::State& state, const std::vector<std::string>& lines) {
  state.SetBytesProcessed(state.iterations() * Bytes(lines));
  state.SetItemsProcessed(state.iterations() *
                          static_cast<int64_t>(lines.size()));
}

void BM_Tokenize(benchmark::State& state) {
  const std::vector<std::string> lines = Lines();
  for (auto _ : state) {
    for (const std::string& line : lines) {
      benchmark::DoNotOptimize(Tokenize(line));
    }
  }
  SetRates(state, lines);
}
BENCHMARK(BM_Tokenize);

void BM_SubwordEncode(benchmark::State& state) {
  const std::vector<std::string> lines = Lines();
  const auto encoder = SubwordTextEncoder::Load(
      FileFor("T2T_BENCHMARK_VOCAB", "target_4.subwords"));
  for (auto _ : state) {
    for (const std::string& line : lines) {
      benchmark::DoNotOptimize(encoder->Encode(line));
    }
  }
  SetRates(state, lines);
}
BENCHMARK(BM_SubwordEncode)->ThreadRange(1, 2);

void BM_SubwordDecode(benchmark::State& state) {
  const std::vector<std::string> lines = Lines();
  const auto encoder = SubwordTextEncoder::Load(
      FileFor("T2T_BENCHMARK_VOCAB", "target_4.subwords"));
  std::vector<std::vector<int64_t>> ids;
  for (const std::string& line : lines) ids.push_back(encoder->Encode(line));
  for (auto _ : state) {
    for (const auto& line : ids) {
      benchmark::DoNotOptimize(encoder->Decode(line));
    }
  }
  SetRates(state, lines);
}
BENCHMARK(BM_SubwordDecode);

void BM_SubwordBuild(benchmark::State& state) {
  const std::vector<std::string> lines = Lines();
  TokenCounts counts;
  for (const std::string& line : lines) CountTokens(line, &counts);
  SubwordBuildOptions options;
  options.threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        SubwordTextEncoder::BuildFromTokenCounts(counts, 5, options));
  }
  SetRates(state, lines);
}
BENCHMARK(BM_SubwordBuild)
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_ParseExample(benchmark::State& state) {
  Example example;
  std::vector<int64_t> ids(state.range(0));
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<int64_t>(i * 37 % 8192);
  }
  example.features["inputs"] = ids;
  example.features["targets"] = ids;
  const std::string bytes = SerializeExample(example);
  for (auto _ : state) benchmark::DoNotOptimize(ParseExample(bytes));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(bytes.size()));
}
BENCHMARK(BM_ParseExample)->Arg(30)->Arg(300);

void BM_ReadTfRecords(benchmark::State& state) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) AppendTfRecord(std::string(100, 'x'), &bytes);
  const std::string path =
      JoinPath(MakeTempDirectory("data_benchmark"), "records");
  WriteFileAtomically(path, bytes);
  std::string record;
  for (auto _ : state) {
    TfRecordReader reader(path);
    while (reader.Next(&record)) benchmark::DoNotOptimize(record);
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(bytes.size()));
  state.SetItemsProcessed(state.iterations() * 1000);
  RemoveTree(DirName(path));
}
BENCHMARK(BM_ReadTfRecords);

}  // namespace
}  // namespace t2t
