#include "t2t/distributed/rendezvous.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "t2t/base/file_lock.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/launcher.h"
#include "t2t/distributed/socket.h"

namespace t2t {
namespace {

constexpr char kLifeline[] = "t2t/lifeline";
constexpr char kVerdict[] = "t2t/verdict";

std::string RanksText(const std::vector<int64_t>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (i > 0) text += ", ";
    if (i == 16) return text + "... (" + std::to_string(ranks.size()) + ")";
    text += std::to_string(ranks[i]);
  }
  return text;
}

std::string Await(const c10::intrusive_ptr<c10d::Store>& store,
                  const std::string& key, double seconds) {
  store->wait({key}, Milliseconds(seconds));
  const std::vector<uint8_t> bytes = store->get(key);
  return std::string(bytes.begin(), bytes.end());
}

std::vector<uint8_t> Bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

}  // namespace

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(
      std::max<int64_t>(1, std::llround(seconds * 1000)));
}

Rendezvous::Rendezvous(const Cluster& cluster, double seconds,
                       double silence_seconds)
    : cluster_(cluster), seconds_(seconds), silence_seconds_(silence_seconds) {
  RestartClock();
}

void Rendezvous::RestartClock() { deadline_ = NowSeconds() + seconds_; }

double Rendezvous::Left() const {
  return std::max(0.1, deadline_ - NowSeconds());
}

std::string Rendezvous::Place() const {
  return cluster_.address + ":" + std::to_string(cluster_.port);
}

std::string Rendezvous::NameOf(int64_t rank) const {
  const auto index = static_cast<size_t>(rank);
  return index < names_.size() ? names_[index] : "";
}

Error Rendezvous::MeetingError(const std::string& why) const {
  const std::string who = "rank " + std::to_string(cluster_.rank) + " of " +
                          std::to_string(cluster_.world_size);
  const std::string todo =
      "see that every rank is started with the same number of ranks and "
      "rendezvous address, then start the job again";
  if (cluster_.rank == 0) {
    return Error(ExitCode::kRetry,
                 who + " can't be met at " + Place() + ": " + why,
                 "a port that is free", todo);
  }
  return Error(ExitCode::kRetry,
               who + " can't reach rank 0 at " + Place() + " (waited for " +
                   DoubleToString(seconds_) + " s): " + why,
               "rank 0 is there", todo);
}

void Rendezvous::OpenStore() {
  const bool first = cluster_.rank == 0;
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(cluster_.port);
  options.isServer = first;
  options.waitWorkers = false;
  options.timeout = Milliseconds(seconds_);
  const char* const fd = std::getenv(kListenFdVariable);
  int64_t listening = 0;
  if (first && fd != nullptr && ParseInt(fd, &listening)) {
    options.masterListenFd = static_cast<int>(listening);
  }
  store_ = c10::make_intrusive<c10d::TCPStore>(cluster_.address, options);
  address_ = LocalAddressTowards(cluster_.address);
  if (address_.empty()) {
    throw Error(ExitCode::kRetry,
                "the host '" + cluster_.address + "' is not known");
  }
}

// Every rank enters its name at rank 0, which says whether all came.
void Rendezvous::Meet() {
  OpenStore();
  if (cluster_.rank == 0) {
    MeetAsFirst();
    return;
  }
  const std::vector<std::string> place =
      Split(Await(store_, kLifeline, Left()), ' ');
  int64_t port = 0;
  if (place.size() != 2 || !ParseInt(place[0], &port)) {
    throw Error(ExitCode::kRetry, Place() + " is not this job's rank 0");
  }
  lifeline_ = Lifeline::Connect(place[1], port, cluster_.rank, OwnName(),
                                silence_seconds_);
  // A little longer than rank 0, whose message says more.
  TakeVerdict(Watched([store = store_, seconds = Left() + 10] {
    return Await(store, kVerdict, seconds);
  }));
}

void Rendezvous::MeetAsFirst() {
  lifeline_ = Lifeline::Listen(address_, silence_seconds_);
  store_->set(kLifeline,
              Bytes(std::to_string(lifeline_->port()) + " " + address_));
  const std::string verdict = WaitForRanks();
  store_->set(kVerdict, Bytes(verdict));
  TakeVerdict(verdict);
}

// This process, and in a second line the number of ranks it knows of.
std::string Rendezvous::OwnName() const {
  return HostName() + ", pid " + std::to_string(::getpid()) + "\n" +
         std::to_string(cluster_.world_size);
}

// Rank 0: "ok" and every rank's name, or what is wrong.
std::string Rendezvous::WaitForRanks() {
  double pause = 0.005;
  double next_line = NowSeconds() + 10;
  while (!lifeline_->Complete(cluster_.world_size)) {
    const double now = NowSeconds();
    if (now > deadline_) {
      return Missing() + " of " + std::to_string(cluster_.world_size) +
             " did not come to " + Place() + " within " +
             DoubleToString(seconds_) + " s";
    }
    if (now > next_line) {
      Log("waiting for " + Missing() + " at " + Place());
      next_line = now + 10;
    }
    ::usleep(static_cast<useconds_t>(pause * 1e6));
    pause = std::min(0.2, pause * 1.5);
  }
  return Verdict();
}

std::string Rendezvous::Verdict() const {
  std::map<int64_t, std::string> names = lifeline_->here();
  names[0] = OwnName();
  std::string verdict = "ok";
  for (int64_t rank = 0; rank < cluster_.world_size; ++rank) {
    const std::vector<std::string> lines = Split(names[rank], '\n');
    if (lines.size() != 2 || lines[1] != std::to_string(cluster_.world_size)) {
      return "rank " + std::to_string(rank) + " (" + lines[0] +
             ") was told of " + (lines.size() == 2 ? lines[1] : "?") +
             " ranks, rank 0 of " + std::to_string(cluster_.world_size);
    }
    verdict += "\n" + lines[0];
  }
  return verdict;
}

std::string Rendezvous::Missing() const {
  const std::map<int64_t, std::string> here = lifeline_->here();
  std::vector<int64_t> missing;
  for (int64_t rank = 1; rank < cluster_.world_size; ++rank) {
    if (here.count(rank) == 0) missing.push_back(rank);
  }
  return RanksText(missing);
}

void Rendezvous::TakeVerdict(const std::string& verdict) {
  std::vector<std::string> lines = Split(verdict, '\n');
  if (lines[0] != "ok") {
    // The others are to have read it before the store goes.
    if (cluster_.rank == 0) ::usleep(1'000'000);
    throw Error(ExitCode::kRetry, verdict, "every rank",
                "see why it did not start, then start the job again");
  }
  lines.erase(lines.begin());
  names_ = lines;
  if (static_cast<int64_t>(names_.size()) != cluster_.world_size) {
    throw Error(ExitCode::kRetry,
                "rank " + std::to_string(cluster_.rank) + " was told of " +
                    std::to_string(cluster_.world_size) + " ranks, rank 0 of " +
                    std::to_string(names_.size()),
                "one number of ranks", "start all with the same");
  }
}

}  // namespace t2t
