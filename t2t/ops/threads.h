#ifndef T2T_OPS_THREADS_H_
#define T2T_OPS_THREADS_H_

namespace t2t {

// Sets the number of threads (0: every core) and makes ATen's operators give
// the same bits each time. Returns the number of threads.
int UseThreads(int threads);

}  // namespace t2t

#endif  // T2T_OPS_THREADS_H_
