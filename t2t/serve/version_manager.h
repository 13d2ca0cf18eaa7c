#ifndef T2T_SERVE_VERSION_MANAGER_H_
#define T2T_SERVE_VERSION_MANAGER_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "t2t/serve/batch_queue.h"
#include "t2t/serve/servable.h"

namespace t2t {

using ServableQueue = BatchQueue<Servable::Ids, Prediction>;

// A version of the model with the queue in front of it.
struct ServedVersion {
  int64_t version = 0;
  std::unique_ptr<Servable> servable;
  std::unique_ptr<ServableQueue> queue;
};

struct VersionStatus {
  int64_t version = 0;
  // TF Serving's names: LOADING, AVAILABLE, UNLOADING, END.
  std::string state;
  std::string error;  // why it could not be loaded
};

struct VersionOptions {
  // Folders 1, 2, ... with a model each; or a model itself, version 1.
  std::string base_path;
  int64_t versions_to_serve = 1;  // the newest ones
  std::chrono::milliseconds poll_interval{1000};
};

// Serves what is in a folder: a new version is loaded beside those that are
// served and takes over when it is ready; an old one goes when its last
// request is answered. What can't be loaded is tried again when its files
// change, and the next older version serves instead.
class VersionManager {
 public:
  // Reads and warms up what is in a folder, or throws. Runs with the lowest
  // CPU priority while something else serves.
  using Load = std::function<std::unique_ptr<Servable>(const std::string&)>;
  using Start =
      std::function<std::unique_ptr<ServableQueue>(Servable* servable)>;

  // Returns when something is served; throws where there is nothing to serve.
  VersionManager(const VersionOptions& options, Load load, Start start);
  // Waits for the requests that are still held.
  ~VersionManager();
  VersionManager(const VersionManager&) = delete;
  VersionManager& operator=(const VersionManager&) = delete;

  // The newest, or that one; nullptr where it isn't served. Held for as long
  // as the request is not answered.
  std::shared_ptr<ServedVersion> Get(std::optional<int64_t> version) const;
  // Newest first.
  std::vector<VersionStatus> Statuses() const;
  // Versions that took over from another.
  int64_t swaps() const;

 private:
  struct Failure {
    std::string files;  // that were there
    std::string error;
  };

  std::map<int64_t, std::string> Find() const;
  // Loads, swaps and frees what is due.
  void Poll();
  bool TryLoad(int64_t version, const std::string& path);
  void DropOld(const std::map<int64_t, std::string>& wanted);
  void FreeUnused();
  void Watch();

  const VersionOptions options_;
  const Load load_;
  const Start start_;

  mutable std::mutex mutex_;
  std::condition_variable stop_;
  std::map<int64_t, std::shared_ptr<ServedVersion>> served_;
  std::list<std::shared_ptr<ServedVersion>> retired_;
  std::optional<int64_t> loading_;
  std::map<int64_t, Failure> failed_;
  int64_t swaps_ = 0;
  bool stopping_ = false;
  std::thread watcher_;
};

}  // namespace t2t

#endif  // T2T_SERVE_VERSION_MANAGER_H_
