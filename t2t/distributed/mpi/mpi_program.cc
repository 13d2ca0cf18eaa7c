// What mpi_test runs under mpirun: the same collectives over Gloo and over MPI.
//
// usage: mpi_program PORT PORT

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/cluster.h"
#include "t2t/distributed/gradient_sum.h"
#include "t2t/distributed/process_group.h"

namespace t2t {
namespace {

std::unique_ptr<ProcessGroup> Join(const std::string& port,
                                   const std::string& backend) {
  ClusterFlags flags;
  flags.rendezvous = "127.0.0.1:" + port;
  ProcessGroup::Options options;
  options.rendezvous_seconds = 60;
  options.collective_seconds = 60;
  options.backend = backend;
  Cluster cluster = ResolveCluster(flags, CurrentEnvironment());
  if (!cluster.distributed()) {
    cluster.address = "127.0.0.1";
    ParseInt(port, &cluster.port);
  }
  return ProcessGroup::Join(cluster, options);
}

void Expect(bool good, const std::string& what) {
  if (good) return;
  throw Error(ExitCode::kInternal, "MPI and Gloo differ in " + what);
}

void Compare(ProcessGroup* gloo, ProcessGroup* mpi, const std::string& where) {
  const int64_t rank = mpi->rank();
  const int64_t size = mpi->size();
  Expect(rank == gloo->rank() && size == gloo->size(), "who is who" + where);
  for (const at::ScalarType type :
       {at::kFloat, at::kDouble, at::kLong, at::kBFloat16}) {
    const std::string what = where + ", " + c10::toString(type);
    at::manual_seed(17 + static_cast<uint64_t>(rank));
    const at::Tensor own = at::randn({1001}).mul(100).to(type);
    const at::Tensor one = own.clone();
    const at::Tensor other = own.clone();
    gloo->AllReduce(one, "a sum");
    mpi->AllReduce(other, "a sum");
    // The order of more than two is each one's own.
    Expect(size == 2 || type == at::kLong
               ? at::equal(one, other)
               : at::allclose(one.to(at::kDouble), other.to(at::kDouble),
                              type == at::kBFloat16 ? 0.05 : 1e-5,
                              type == at::kBFloat16 ? 4.0 : 1e-3),
           "a sum" + what);
    Expect(at::equal(gloo->AllGather(own, "a gather"),
                     mpi->AllGather(own, "a gather")),
           "a gather" + what);
    // To rank r go r + 1 elements.
    std::vector<int64_t> sent;
    for (int64_t r = 0; r < size; ++r) sent.push_back(r + 1);
    const std::vector<int64_t> received(static_cast<size_t>(size), rank + 1);
    const at::Tensor input = own.narrow(0, 0, size * (size + 1) / 2);
    Expect(at::equal(gloo->AllToAll(input, sent, received, "an exchange"),
                     mpi->AllToAll(input, sent, received, "an exchange")),
           "an exchange" + what);
    gloo->Broadcast(one, "a broadcast");
    const at::Tensor first = own.clone();
    mpi->Broadcast(first, "a broadcast");
    gloo->Broadcast(own, "a broadcast");
    Expect(at::equal(first, own), "a broadcast" + what);
  }
  Expect(mpi->BroadcastText(rank == 0 ? "text" : "", "a text") == "text",
         "a text" + where);
  // Many at once.
  std::vector<at::Tensor> tensors;
  std::vector<ProcessGroup::Work> works;
  for (int64_t i = 0; i < 20; ++i) {
    tensors.push_back(at::full({1000 * i + 1}, static_cast<double>(rank + i)));
    works.push_back(mpi->StartAllReduce(tensors.back()));
  }
  for (size_t i = works.size(); i-- > 0;) mpi->Wait(works[i], "many sums");
  for (int64_t i = 0; i < 20; ++i) {
    const double sum = static_cast<double>(size * i + size * (size - 1) / 2);
    Expect(at::equal(tensors[static_cast<size_t>(i)],
                     at::full({1000 * i + 1}, sum)),
           "many sums" + where);
  }
}

// The sum of gradients in the order that does not depend on the ranks.
std::vector<at::Tensor> Gradients(ProcessGroup* group) {
  at::manual_seed(5);
  std::vector<at::Tensor> parameters;
  for (const int64_t size : {300, 7, 4000}) {
    parameters.push_back(at::randn({size}).set_requires_grad(true));
  }
  GradientSum::Options options;
  options.bucket_bytes = 1024;
  options.deterministic = true;
  GradientSum sum(parameters, 5, group, options);
  for (const int64_t shard : sum.own_batches()) {
    at::Tensor loss = at::zeros({});
    for (const at::Tensor& parameter : parameters) {
      loss = loss + parameter.mul(static_cast<double>(shard) + 0.3).sin().sum();
    }
    sum.Backward(shard, [&] { torch::autograd::grad({loss}, parameters); });
  }
  std::vector<at::Tensor> copies;
  for (const at::Tensor& gradient : sum.Finish(1.0 / 3.0)) {
    copies.push_back(gradient.clone());
  }
  return copies;
}

int Main(int argc, char** argv) {
  if (argc != 3) throw UsageError("two ports are needed");
  const std::unique_ptr<ProcessGroup> gloo = Join(argv[1], "gloo");
  const std::unique_ptr<ProcessGroup> mpi = Join(argv[2], "mpi");
  Compare(gloo.get(), mpi.get(), "");
  const std::vector<at::Tensor> expected = Gradients(gloo.get());
  const std::vector<at::Tensor> got = Gradients(mpi.get());
  for (size_t i = 0; i < got.size(); ++i) {
    Expect(at::equal(expected[i], got[i]), "the deterministic sum");
  }
  if (mpi->size() == 4) {
    const int64_t first = mpi->rank() % 2;
    const auto gloo_half = gloo->Sub({first, first + 2}, "halves");
    const auto mpi_half = mpi->Sub({first, first + 2}, "halves");
    Compare(gloo_half.get(), mpi_half.get(), " of a half");
  }
  mpi->Barrier("the end");
  gloo->Barrier("the end");
  std::printf("rank %d: the same\n", static_cast<int>(mpi->rank()));
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Main); }
