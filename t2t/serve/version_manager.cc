#include "t2t/serve/version_manager.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr int kLowestPriority = 19;

// What would be another file after a change.
std::string FilesOf(const std::string& path) {
  std::string text;
  for (const std::string& name : ListDirectory(path)) {
    struct stat status = {};
    if (::stat(JoinPath(path, name).c_str(), &status) != 0) continue;
    text += Format("%s %lld %lld %lld.%09ld\n", name.c_str(),
                   static_cast<long long>(status.st_ino),
                   static_cast<long long>(status.st_size),
                   static_cast<long long>(status.st_mtim.tv_sec),
                   status.st_mtim.tv_nsec);
  }
  return text;
}

bool IsVersion(const std::string& name, int64_t* version) {
  return !name.empty() && name.size() <= 18 &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c >= '0' && c <= '9'; }) &&
         ParseInt(name, version);
}

}  // namespace

VersionManager::VersionManager(const VersionOptions& options, Load load,
                               Start start)
    : options_(options), load_(std::move(load)), start_(std::move(start)) {
  if (Find().empty()) {
    throw MissingError("there is no model in " + options_.base_path,
                       "a folder t2t-exporter wrote, or one that has such "
                       "folders by the names 1, 2, ...",
                       "see --model_base_path");
  }
  Poll();
  if (served_.empty()) {
    const auto& [version, failure] = *failed_.rbegin();
    throw MismatchError("no model in " + options_.base_path +
                        " can be loaded; version " + std::to_string(version) +
                        ": " + failure.error);
  }
  watcher_ = std::thread([this] { Watch(); });
}

VersionManager::~VersionManager() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    for (auto& [version, served] : served_) retired_.push_back(served);
    served_.clear();
  }
  stop_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  while (!retired_.empty()) {
    FreeUnused();
    if (!retired_.empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

std::shared_ptr<ServedVersion> VersionManager::Get(
    std::optional<int64_t> version) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (served_.empty()) return nullptr;
  if (!version.has_value()) return served_.rbegin()->second;
  const auto found = served_.find(*version);
  return found == served_.end() ? nullptr : found->second;
}

std::vector<VersionStatus> VersionManager::Statuses() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::map<int64_t, VersionStatus> all;
  for (const auto& [version, failure] : failed_) {
    all[version] = {version, "END", failure.error};
  }
  for (const auto& served : retired_) {
    all[served->version] = {served->version, "UNLOADING", ""};
  }
  if (loading_.has_value()) all[*loading_] = {*loading_, "LOADING", ""};
  for (const auto& [version, served] : served_) {
    all[version] = {version, "AVAILABLE", ""};
  }
  std::vector<VersionStatus> statuses;
  for (auto& [version, status] : all) statuses.push_back(std::move(status));
  std::reverse(statuses.begin(), statuses.end());
  return statuses;
}

int64_t VersionManager::swaps() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return swaps_;
}

std::map<int64_t, std::string> VersionManager::Find() const {
  std::map<int64_t, std::string> found;
  if (!IsDirectory(options_.base_path)) return found;
  if (Exists(JoinPath(options_.base_path, "problem.json"))) {
    found[1] = options_.base_path;
    return found;
  }
  for (const std::string& name : ListDirectory(options_.base_path)) {
    const std::string path = JoinPath(options_.base_path, name);
    int64_t version = 0;
    if (IsVersion(name, &version) && IsDirectory(path)) found[version] = path;
  }
  return found;
}

void VersionManager::Poll() {
  const std::map<int64_t, std::string> found = Find();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::erase_if(failed_, [&](const auto& item) {
      return found.count(item.first) == 0;
    });
  }
  std::map<int64_t, std::string> wanted;
  for (auto at = found.rbegin();
       at != found.rend() &&
       static_cast<int64_t>(wanted.size()) < options_.versions_to_serve;
       ++at) {
    const auto& [version, path] = *at;
    if (Get(version) != nullptr || TryLoad(version, path)) {
      wanted[version] = path;
    }
  }
  DropOld(wanted);
  FreeUnused();
}

bool VersionManager::TryLoad(int64_t version, const std::string& path) {
  const std::string files = FilesOf(path);
  bool lower_priority = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto failure = failed_.find(version);
    if (failure != failed_.end() && failure->second.files == files) {
      return false;
    }
    failed_.erase(version);
    loading_ = version;
    lower_priority = !served_.empty();
  }
  std::unique_ptr<Servable> servable;
  std::string error;
  // A thread of its own, so that the priority stays with it.
  std::thread loader([&] {
    if (lower_priority) ::setpriority(PRIO_PROCESS, 0, kLowestPriority);
    try {
      servable = load_(path);
    } catch (const std::exception& exception) {
      error = exception.what();
    }
  });
  loader.join();
  if (servable == nullptr) {
    Warn("version " + std::to_string(version) + " can't be loaded: " + error);
    const std::lock_guard<std::mutex> lock(mutex_);
    loading_.reset();
    failed_[version] = {files, error};
    return false;
  }
  const auto served = std::make_shared<ServedVersion>();
  served->version = version;
  served->servable = std::move(servable);
  served->queue = start_(served->servable.get());
  Log("version " + std::to_string(version) +
      " is ready: " + served->servable->Description());
  const std::lock_guard<std::mutex> lock(mutex_);
  loading_.reset();
  if (!served_.empty()) ++swaps_;
  if (stopping_) {
    retired_.push_back(served);
  } else {
    served_[version] = served;
  }
  return true;
}

void VersionManager::DropOld(const std::map<int64_t, std::string>& wanted) {
  if (wanted.empty()) return;  // better an old version than none
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(served_, [&](const auto& item) {
    if (wanted.count(item.first) > 0) return false;
    retired_.push_back(item.second);
    Log("version " + std::to_string(item.first) + " goes");
    return true;
  });
}

void VersionManager::FreeUnused() {
  std::list<std::shared_ptr<ServedVersion>> unused;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto at = retired_.begin(); at != retired_.end();) {
      const auto next = std::next(at);
      // Nobody can take a retired one any more, so one holder stays one.
      if (at->use_count() == 1) unused.splice(unused.end(), retired_, at);
      at = next;
    }
  }
  for (const auto& served : unused) served->queue->Stop();
}

void VersionManager::Watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_.wait_for(lock, options_.poll_interval,
                         [this] { return stopping_; })) {
    lock.unlock();
    try {
      Poll();
    } catch (const std::exception& error) {
      Warn("can't look for new versions: " + std::string(error.what()));
    }
    lock.lock();
  }
}

}  // namespace t2t
