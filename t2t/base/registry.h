#ifndef T2T_BASE_REGISTRY_H_
#define T2T_BASE_REGISTRY_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

// Named things made by functions, filled by static objects before main() runs
// and only read after. The kind ("model") is for messages.
template <typename Function>
class Registry {
 public:
  explicit Registry(std::string kind) : kind_(std::move(kind)) {}

  bool Add(const std::string& name, std::function<Function> make,
           const std::string& help = "") {
    if (!entries_.emplace(name, Entry{std::move(make), help}).second) {
      throw Error(ExitCode::kInternal,
                  kind_ + " '" + name + "' is registered twice");
    }
    return true;
  }

  bool Has(const std::string& name) const { return entries_.count(name) > 0; }

  // Throws a usage error with did-you-mean where there is no such name.
  const std::function<Function>& Get(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      throw UsageError("there is no " + kind_ + " '" + name + "'",
                       DidYouMean(name, Names()),
                       "t2t-trainer --registry_help lists them all");
    }
    return found->second.make;
  }

  const std::string& Help(const std::string& name) const {
    Get(name);
    return entries_.at(name).help;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

 private:
  struct Entry {
    std::function<Function> make;
    std::string help;
  };

  std::string kind_;
  std::map<std::string, Entry> entries_;
};

}  // namespace t2t

#endif  // T2T_BASE_REGISTRY_H_
