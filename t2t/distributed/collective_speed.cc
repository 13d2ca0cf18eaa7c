// How long the sum over ranks on this machine takes, by size: the constants of
// docs/scaling.md. usage: collective_speed [RANKS]

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "t2t/base/log.h"
#include "t2t/distributed/testing_job.h"

namespace t2t {
namespace {

void Measure(ProcessGroup* group) {
  at::set_num_threads(1);
  for (int64_t bytes = 4; bytes <= 64 << 20; bytes *= 8) {
    const at::Tensor tensor = at::ones(std::max<int64_t>(1, bytes / 4));
    std::vector<double> seconds;
    const int64_t repeats = std::clamp<int64_t>((16 << 20) / bytes, 5, 200);
    for (int64_t i = 0; i < repeats; ++i) {
      const double start = NowSeconds();
      group->AllReduce(tensor, "a sum");
      seconds.push_back(NowSeconds() - start);
    }
    std::sort(seconds.begin(), seconds.end());
    const double median = seconds[seconds.size() / 2];
    if (group->rank() != 0) continue;
    const double ranks = static_cast<double>(group->size());
    std::printf(
        "%9lld bytes: %9.3f ms, %7.1f MB/s a link\n",
        static_cast<long long>(bytes), 1e3 * median,
        2 * (ranks - 1) / ranks * static_cast<double>(bytes) / median / 1e6);
  }
  group->Barrier("the end");
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) {
  const int64_t ranks = argc > 1 ? std::atoll(argv[1]) : 2;
  t2t::Job job(ranks);
  job.StartAll(t2t::Measure);
  int code = 0;
  for (int64_t i = 0; i < ranks; ++i) {
    const t2t::Job::End end = job.Wait(static_cast<size_t>(i));
    if (end.code != 0) std::fprintf(stderr, "%s\n", end.message.c_str());
    code = std::max(code, end.code);
  }
  return code;
}
