#ifndef T2T_BASE_JSON_FILE_H_
#define T2T_BASE_JSON_FILE_H_

#include <string>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/json.h"

namespace t2t {

// Returns read(); an Error of its that does not name the file gets its path in
// front.
template <typename Read>
auto NamingFile(const std::string& path, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    const std::string what = error.what();
    if (what.find(path) != std::string::npos) throw;
    throw Error(error.code(), path + ": " + what);
  }
}

// The JSON in a file; take_in(json), which looks into it, may throw, too. Every
// error names the file.
template <typename TakeIn>
auto ReadJsonFile(const std::string& path, const TakeIn& take_in) {
  return NamingFile(path, [&] { return take_in(Json::Parse(ReadFile(path))); });
}

}  // namespace t2t

#endif  // T2T_BASE_JSON_FILE_H_
