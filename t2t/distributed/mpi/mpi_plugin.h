#ifndef T2T_DISTRIBUTED_MPI_MPI_PLUGIN_H_
#define T2T_DISTRIBUTED_MPI_MPI_PLUGIN_H_

#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <vector>

namespace t2t {

// What libt2t_mpi.so exports, by this name and type: connects the processes
// `ranks` of MPI_COMM_WORLD (all of them must call it, with the same name),
// which are to be as many as `size` in all. Throws std::runtime_error.
using MakeMpiBackend = void(const std::vector<int64_t>& ranks, int64_t rank,
                            int64_t size, const std::string& name,
                            c10::intrusive_ptr<c10d::Backend>* backend);
inline constexpr char kMakeMpiBackend[] = "T2tMakeMpiBackend";

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_MPI_MPI_PLUGIN_H_
