#include "t2t/serve/rest_json.h"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/text/unicode.h"

namespace t2t {
namespace {

constexpr char kSignature[] = "serving_default";
constexpr char kInput[] = "input";

// The shortest decimal that reads back as the same float.
double ShortFloat(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  double result = value;
  ParseDouble({text, static_cast<size_t>(end - text)}, &result);
  return result;
}

// An input, or what is wrong with it.
PredictInput InputOf(const Json& value) {
  PredictInput input;
  if (value.is_string()) {
    input.bytes = value.AsString();
  } else if (!value.is_object() || value.members().size() != 1 ||
             value.members()[0].first != "b64") {
    input.error = "an input is neither a text nor {\"b64\": \"...\"}";
  } else if (const Json& text = value.members()[0].second; !text.is_string()) {
    input.error = "a \"b64\" is no string";
  } else {
    input.is_text = false;
    if (!absl::Base64Unescape(text.AsString(), &input.bytes)) {
      input.error = "a \"b64\" is no base64";
    }
  }
  return input;
}

// The one named input of a row or of the columns; nullptr where it has another
// name.
const Json* Unnamed(const Json& value, bool may_have_others) {
  if (!value.is_object() || value.Find("b64") != nullptr) return &value;
  if (value.members().size() != 1 && !may_have_others) return nullptr;
  return value.Find(kInput);
}

Json IdsJson(const std::vector<int64_t>& ids, size_t length) {
  Json json = Json::Array();
  for (size_t i = 0; i < length; ++i) {
    json.Append(i < ids.size() ? ids[i] : int64_t{0});
  }
  return json;
}

// A row's values; with beams each is a list of them.
struct RowJson {
  Json outputs, scores, text;
};

RowJson MakeRow(const PredictResult& result, size_t row, size_t length) {
  const auto& hypotheses = result.predictions[row].hypotheses;
  const auto& texts = result.texts[row];
  RowJson json{Json::Array(), Json::Array(), Json::Array()};
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    json.outputs.Append(IdsJson(hypotheses[i].ids, length));
    json.scores.Append(ShortFloat(hypotheses[i].score));
    if (i < texts.size()) json.text.Append(ReplaceInvalidUtf8(texts[i]));
  }
  if (result.beams == 0) {
    json.outputs = Json(json.outputs.items().at(0));
    json.scores = Json(json.scores.items().at(0));
    if (!texts.empty()) json.text = Json(json.text.items().at(0));
  }
  return json;
}

Json StringsJson(const std::vector<std::string>& strings) {
  Json json = Json::Array();
  for (const std::string& text : strings) json.Append(ReplaceInvalidUtf8(text));
  return json;
}

Json TensorInfo(const std::string& type, int64_t rank,
                const std::string& name) {
  Json dims = Json::Array();
  for (int64_t i = 0; i < rank; ++i) {
    Json dim = Json::Object();
    dim.Set("size", "-1");
    dim.Set("name", "");
    dims.Append(std::move(dim));
  }
  Json shape = Json::Object();
  shape.Set("dim", std::move(dims));
  shape.Set("unknown_rank", false);
  Json info = Json::Object();
  info.Set("dtype", type);
  info.Set("tensor_shape", std::move(shape));
  info.Set("name", name);
  return info;
}

// "row 2: ..." of a row that was refused, else "".
std::string RowError(const PredictResult& result, size_t row) {
  const std::string& error = result.row_errors.at(row);
  if (error.empty()) return "";
  return "row " + std::to_string(row) + ": " + ReplaceInvalidUtf8(error);
}

}  // namespace

RestCall ParseRestCall(std::string_view body) {
  // As TF Serving's parser, and some clients' writers.
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (StartsWith(body, kByteOrderMark)) {
    body.remove_prefix(kByteOrderMark.size());
  }
  const Json json = Json::Parse(body);
  if (!json.is_object()) throw DataError("the body is no JSON object");
  if (const Json* signature = json.Find("signature_name")) {
    if (!signature->AsString().empty() && signature->AsString() != kSignature) {
      throw DataError("there is no signature \"" + signature->AsString() +
                      "\"; the one there is: " + kSignature);
    }
  }
  const Json* rows = json.Find("instances");
  const Json* columns = json.Find("inputs");
  if ((rows == nullptr) == (columns == nullptr)) {
    throw DataError("the body must have either \"instances\" or \"inputs\"");
  }
  const std::string names = "the model has one input, by the name \"input\"";
  RestCall parsed;
  parsed.by_rows = rows != nullptr;
  const Json* list = parsed.by_rows ? rows : Unnamed(*columns, true);
  if (list == nullptr) throw DataError(names);
  if (!list->is_array()) throw DataError("the inputs are no list");
  bool all_texts = true;
  for (const Json& item : list->items()) {
    const Json* value = parsed.by_rows ? Unnamed(item, false) : &item;
    PredictInput input;
    if (value == nullptr) {
      input.error = names;
    } else {
      input = InputOf(*value);
    }
    all_texts &= input.is_text;
    parsed.call.inputs.push_back(std::move(input));
  }
  // Columns of ids have no place for it.
  parsed.call.has_row_errors = parsed.by_rows || all_texts;
  return parsed;
}

Json ResultJson(const PredictResult& result, bool by_rows) {
  size_t length = 0;
  bool all_texts = true;
  bool has_errors = false;
  for (const Prediction& prediction : result.predictions) {
    for (const auto& hypothesis : prediction.hypotheses) {
      length = std::max(length, hypothesis.ids.size());
    }
  }
  for (const auto& texts : result.texts) all_texts &= !texts.empty();
  for (const auto& error : result.row_errors) has_errors |= !error.empty();
  Json predictions = Json::Array();
  Json outputs = Json::Array();
  Json scores = Json::Array();
  Json text = Json::Array();
  Json errors = Json::Array();
  for (size_t i = 0; i < result.predictions.size(); ++i) {
    const std::string error = RowError(result, i);
    RowJson row = MakeRow(result, i, length);
    if (by_rows && !error.empty()) {
      Json object = Json::Object();
      object.Set("error", error);
      predictions.Append(std::move(object));
    } else if (by_rows) {
      Json object = Json::Object();
      object.Set("outputs", std::move(row.outputs));
      object.Set("scores", std::move(row.scores));
      if (!result.texts[i].empty()) object.Set("text", std::move(row.text));
      predictions.Append(std::move(object));
    } else {
      outputs.Append(std::move(row.outputs));
      scores.Append(std::move(row.scores));
      text.Append(std::move(row.text));
      errors.Append(error);
    }
  }
  Json json = Json::Object();
  if (by_rows) {
    json.Set("predictions", std::move(predictions));
  } else {
    Json columns = Json::Object();
    columns.Set("outputs", std::move(outputs));
    columns.Set("scores", std::move(scores));
    if (all_texts) columns.Set("text", std::move(text));
    if (has_errors) columns.Set("error", std::move(errors));
    json.Set("outputs", std::move(columns));
  }
  return json;
}

Json AttentionJson(const AttentionResult& result) {
  const AttentionWeights& attention = result.attention;
  auto weight = attention.weights.begin();
  Json layers = Json::Array();
  for (int64_t layer = 0; layer < attention.layers; ++layer) {
    Json heads = Json::Array();
    for (int64_t head = 0; head < attention.heads; ++head) {
      Json rows = Json::Array();
      for (size_t i = 0; i < attention.outputs.size(); ++i) {
        Json row = Json::Array();
        for (size_t j = 0; j < attention.inputs.size(); ++j) {
          // Four digits are more than anybody sees.
          row.Append(std::round(double{*weight++} * 1e4) / 1e4);
        }
        rows.Append(std::move(row));
      }
      heads.Append(std::move(rows));
    }
    layers.Append(std::move(heads));
  }
  Json json = Json::Object();
  json.Set("version", std::to_string(result.version));
  json.Set("text", ReplaceInvalidUtf8(result.text));
  json.Set("inputs", StringsJson(attention.inputs));
  json.Set("outputs", StringsJson(attention.outputs));
  json.Set("attention", std::move(layers));
  return json;
}

Json StatusJson(const std::vector<VersionStatus>& statuses) {
  Json list = Json::Array();
  for (const VersionStatus& status : statuses) {
    Json error = Json::Object();
    error.Set("error_code", status.error.empty() ? "OK" : "UNKNOWN");
    error.Set("error_message", ReplaceInvalidUtf8(status.error));
    Json item = Json::Object();
    item.Set("version", std::to_string(status.version));
    item.Set("state", status.state);
    item.Set("status", std::move(error));
    list.Append(std::move(item));
  }
  Json json = Json::Object();
  json.Set("model_version_status", std::move(list));
  return json;
}

Json MetadataJson(const std::string& name, const ServedVersion& served) {
  const int64_t rank = served.servable->beams() > 0 ? 2 : 1;
  Json inputs = Json::Object();
  inputs.Set("input", TensorInfo("DT_STRING", 1, "serialized_example:0"));
  Json outputs = Json::Object();
  outputs.Set("outputs", TensorInfo(served.servable->gives_int32() ? "DT_INT32"
                                                                   : "DT_INT64",
                                    rank + 1, "outputs:0"));
  outputs.Set("scores", TensorInfo("DT_FLOAT", rank, "scores:0"));
  Json signature = Json::Object();
  signature.Set("inputs", std::move(inputs));
  signature.Set("outputs", std::move(outputs));
  signature.Set("method_name", "tensorflow/serving/predict");
  Json by_name = Json::Object();
  by_name.Set(kSignature, std::move(signature));
  Json map = Json::Object();
  map.Set("signature_def", std::move(by_name));
  Json metadata = Json::Object();
  metadata.Set("signature_def", std::move(map));
  Json spec = Json::Object();
  spec.Set("name", name);
  spec.Set("signature_name", "");
  spec.Set("version", std::to_string(served.version));
  Json json = Json::Object();
  json.Set("model_spec", std::move(spec));
  json.Set("metadata", std::move(metadata));
  return json;
}

}  // namespace t2t
