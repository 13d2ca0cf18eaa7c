#ifndef T2T_SERVE_REST_JSON_H_
#define T2T_SERVE_REST_JSON_H_

#include <string>
#include <string_view>
#include <vector>

#include "t2t/base/json.h"
#include "t2t/serve/model_service.h"

namespace t2t {

// The JSON of TF Serving's REST interface, and of ours beside it.

// A request to predict: "instances" (rows) or "inputs" (columns).
struct RestCall {
  PredictCall call;  // of the newest version
  bool by_rows = true;
};

// Throws a DataError where the body is no such request. What is wrong with a
// single row is that row's error. Keys that TF Serving does not know are
// ignored, as it does.
RestCall ParseRestCall(std::string_view body);

// A row that was refused is {"error": "row 2: ..."} in its place; columns have
// a further one then, "error".
Json ResultJson(const PredictResult& result, bool by_rows);
// Nested lists: layers, heads, outputs, inputs.
Json AttentionJson(const AttentionResult& result);
Json StatusJson(const std::vector<VersionStatus>& statuses);
Json MetadataJson(const std::string& name, const ServedVersion& served);

}  // namespace t2t

#endif  // T2T_SERVE_REST_JSON_H_
