#ifndef T2T_LAUNCH_RENDER_TRAIN_BACKENDS_H_
#define T2T_LAUNCH_RENDER_TRAIN_BACKENDS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "launch/render/component.h"
#include "t2t/base/json.h"

namespace t2t {

// A training job, whatever runs it.
struct Job {
  const Component& component;
  std::string name;
  int64_t workers;
  int64_t gpus;
  int64_t ps;
  bool evaluator;
  int64_t retries;
  std::string gang;
};

// Adds the objects that run the job.
using Renderer = std::function<void(const Job&, std::vector<Json>*)>;

// By the backend's name, the best first.
const std::vector<std::pair<std::string, Renderer>>& Renderers();

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_TRAIN_BACKENDS_H_
