#ifndef T2T_THIRD_PARTY_GLOO_GLOO_CONTEXT_H_
#define T2T_THIRD_PARTY_GLOO_GLOO_CONTEXT_H_

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo

#endif  // T2T_THIRD_PARTY_GLOO_GLOO_CONTEXT_H_
