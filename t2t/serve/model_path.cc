#include "t2t/serve/model_path.h"

#include <algorithm>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"
#include "t2t/serve/http_target.h"

namespace t2t {
namespace {

constexpr std::string_view kApi = "/v1/";

// Takes prefix off the path's front, in any case.
bool TakePrefix(std::string_view prefix, std::string_view* path) {
  if (Lower(path->substr(0, prefix.size())) != prefix) return false;
  path->remove_prefix(prefix.size());
  return true;
}

std::string TakeSegment(std::string_view* path) {
  const size_t end = std::min(path->find_first_of("/:"), path->size());
  const std::string segment(path->substr(0, end));
  path->remove_prefix(end);
  return segment;
}

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
}

}  // namespace

bool IsModelPath(std::string_view path) {
  return TakePrefix(kApi, &path) || Lower(path) == "/v1/models";
}

ModelPath ParseModelPath(const std::string& method, std::string_view path) {
  const Error malformed =
      DataError("Malformed request: " + method + " " + std::string(path));
  if (Lower(path) == "/v1/models") {
    throw DataError("Missing model name in request.");
  }
  ModelPath parsed;
  if (!TakePrefix("/v1/models/", &path) ||
      !DecodePercent(TakeSegment(&path), &parsed.name) || parsed.name.empty()) {
    throw malformed;
  }
  if (TakePrefix("/versions/", &path)) {
    const std::string text = TakeSegment(&path);
    int64_t version = 0;
    if (!IsDigits(text)) throw malformed;
    if (!ParseInt(text, &version)) {
      throw DataError("Failed to convert version: " + text + " to numeric.");
    }
    parsed.version = version;
  } else if (TakePrefix("/labels/", &path)) {
    if (!DecodePercent(TakeSegment(&path), &parsed.label) ||
        parsed.label.empty()) {
      throw malformed;
    }
  }
  parsed.rest = Lower(path);
  for (const char* known :
       {"", "/metadata", ":predict", ":classify", ":regress"}) {
    if (parsed.rest == known) return parsed;
  }
  throw malformed;
}

}  // namespace t2t
