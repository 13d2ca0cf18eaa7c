#ifndef T2T_LAUNCH_RENDER_PIPELINE_H_
#define T2T_LAUNCH_RENDER_PIPELINE_H_

#include <string>
#include <vector>

#include "launch/render/pod.h"

namespace t2t {

std::vector<ParamSpec> PipelineParams();
// An Argo Workflow, or a CronWorkflow where there is a schedule: makes the
// data, trains the variants, decodes and scores each, and exports the best as
// the servers' next version where BLEU has risen.
std::vector<Json> RenderPipeline(const Component& component);

}  // namespace t2t

#endif  // T2T_LAUNCH_RENDER_PIPELINE_H_
