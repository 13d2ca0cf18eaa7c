#ifndef T2T_BASE_REGISTRY_H_
#define T2T_BASE_REGISTRY_H_

#include <functional>
#include <map>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/strings.h"

namespace t2t {

// Named things made by functions. Filled by explicit calls at start-up
// (RegisterTransformer(models)), then frozen: from there on it is only read,
// by any thread. The kind ("model") is for messages.
template <typename Function>
class Registry {
 public:
  explicit Registry(std::string kind) : kind_(std::move(kind)) {}
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // A name that is taken is a usage error that names both places: a plug-in's
  // author sees whose name it is.
  void Add(const std::string& name, std::function<Function> make,
           const std::string& help = "",
           std::source_location place = std::source_location::current()) {
    const std::string here =
        std::string(place.file_name()) + ":" + std::to_string(place.line());
    if (frozen_) {
      throw Error(ExitCode::kInternal, kind_ + " '" + name + "' comes (at " +
                                           here +
                                           ") after names were looked up");
    }
    const auto [entry, added] =
        entries_.emplace(name, Entry{std::move(make), help, here});
    if (!added) {
      throw UsageError(kind_ + " '" + name + "' is registered twice: at " +
                           entry->second.place + " and at " + here,
                       "a name of its own for each", "rename one of them");
    }
  }

  // No name can be added any more.
  void Freeze() { frozen_ = true; }

  bool Has(const std::string& name) const { return entries_.count(name) > 0; }

  // Throws a usage error with did-you-mean where there is no such name.
  const std::function<Function>& Get(const std::string& name) const {
    return Find(name).make;
  }

  const std::string& Help(const std::string& name) const {
    return Find(name).help;
  }

  // file:line of the call of Add().
  const std::string& Place(const std::string& name) const {
    return Find(name).place;
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
    std::string place;  // file:line of the call of Add()
  };

  const Entry& Find(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      throw UsageError("there is no " + kind_ + " '" + name + "'",
                       DidYouMean(name, Names()),
                       "t2t-trainer --registry_help lists them all");
    }
    return found->second;
  }

  std::string kind_;
  std::map<std::string, Entry> entries_;
  bool frozen_ = false;
};

}  // namespace t2t

#endif  // T2T_BASE_REGISTRY_H_
