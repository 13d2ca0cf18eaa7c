#include "t2t/distributed/lifeline.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/distributed/socket.h"

namespace t2t {
namespace {

constexpr size_t kLongestLine = 1 << 16;

// What doesn't go out at once is not worth waiting for.
void SendLine(int fd, const std::string& line) {
  ::send(fd, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::string OneLine(const std::string& text) {
  return ReplaceAll(text.substr(0, kLongestLine / 4), "\n", "\x1f");
}

std::string LossLine(int64_t rank, const std::string& why) {
  return "lost " + std::to_string(rank) + " " + OneLine(why) + "\n";
}

}  // namespace

Lifeline::Lifeline(int64_t rank, double silence_seconds)
    : rank_(rank), silence_seconds_(silence_seconds) {
  if (::pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw IoError("can't make a pipe for", "the lifeline");
  }
}

std::unique_ptr<Lifeline> Lifeline::Listen(const std::string& address,
                                           double silence_seconds) {
  auto line = std::unique_ptr<Lifeline>(new Lifeline(0, silence_seconds));
  line->listen_fd_ = ListenTcp(address, &line->port_);
  if (line->listen_fd_ < 0) throw IoError("can't listen on", address);
  line->Start();
  return line;
}

std::unique_ptr<Lifeline> Lifeline::Connect(const std::string& address,
                                            int64_t port, int64_t rank,
                                            const std::string& who,
                                            double silence_seconds) {
  auto line = std::unique_ptr<Lifeline>(new Lifeline(rank, silence_seconds));
  const int fd = ConnectTcp(address, port);
  if (fd < 0) {
    throw Error(ExitCode::kRetry, IoError("can't connect to rank 0 at",
                                          address + ":" + std::to_string(port))
                                      .what());
  }
  Peer peer;
  peer.fd = fd;
  peer.rank = 0;
  peer.heard = NowSeconds();
  line->peers_[fd] = peer;
  line->port_ = port;
  line->Start();
  // Where the rank's last process went without a word, its rank is free once
  // it was silent for long enough.
  const std::string hello =
      "hello " + std::to_string(rank) + " " + OneLine(who) + "\n";
  const double end = NowSeconds() + silence_seconds + 2;
  std::unique_lock<std::mutex> lock(line->mutex_);
  while (!line->welcome_ && !line->loss_.has_value()) {
    if (line->peers_.empty()) {
      throw Error(ExitCode::kRetry, "rank 0 has left", "",
                  "see its own messages, then start the job again");
    }
    if (NowSeconds() > end) {
      throw Error(ExitCode::kRetry,
                  "two processes say that they are rank " +
                      std::to_string(rank) + ": this one and " +
                      (line->holder_.empty() ? "another" : line->holder_),
                  "a rank each",
                  "where the other is left over from an earlier start, end it "
                  "and start the job again");
    }
    line->SendToAll(hello);
    line->changed_.wait_for(lock, std::chrono::milliseconds(250), [&] {
      return line->welcome_ || line->loss_.has_value();
    });
  }
  lock.unlock();
  return line;
}

void Lifeline::Start() {
  thread_ = std::thread([this] { Run(); });
}

Lifeline::~Lifeline() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failed_) SendToAll("bye\n");
    ending_ = true;
  }
  if (::write(wake_[1], "x", 1) < 0) {
    // The pipe is full of wakings already.
  }
  if (thread_.joinable()) thread_.join();
  for (const auto& [fd, peer] : peers_) ::close(fd);
  for (const int fd : {listen_fd_, wake_[0], wake_[1]}) {
    if (fd >= 0) ::close(fd);
  }
}

std::optional<Lifeline::Loss> Lifeline::loss() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return loss_;
}

std::optional<Lifeline::Loss> Lifeline::WaitForLoss(double seconds) const {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                    [this] { return loss_.has_value(); });
  return loss_;
}

std::map<int64_t, std::string> Lifeline::here() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::map<int64_t, std::string> here;
  for (const auto& [fd, peer] : peers_) {
    if (peer.rank >= 0) here[peer.rank] = peer.who;
  }
  return here;
}

bool Lifeline::Complete(int64_t ranks) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<bool> here(static_cast<size_t>(ranks));
  for (const auto& [fd, peer] : peers_) {
    if (peer.rank > 0 && peer.rank < ranks) {
      here[static_cast<size_t>(peer.rank)] = true;
    }
  }
  complete_ = std::count(here.begin(), here.end(), true) == ranks - 1;
  return complete_;
}

void Lifeline::Fail(const std::string& why) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failed_ || loss_.has_value()) return;
  failed_ = true;
  news_ = LossLine(rank_, why);
  SendToAll(news_);
}

void Lifeline::SendToAll(const std::string& line) {
  for (const auto& [fd, peer] : peers_) SendLine(fd, line);
}

// Under mutex_.
void Lifeline::Lose(int64_t rank, const std::string& why) {
  if (loss_.has_value() || failed_) return;
  loss_ = Loss{rank, why};
  changed_.notify_all();
  if (rank_ == 0) {
    news_ = LossLine(rank, why);
    SendToAll(news_);
  }
}

void Lifeline::Drop(Peer* peer) {
  ::close(peer->fd);
  peers_.erase(peer->fd);
}

void Lifeline::Welcome(Peer* peer, int64_t rank, const std::string& who) {
  if (peer->rank == rank || rank <= 0) return;
  for (const auto& [fd, other] : peers_) {
    if (other.rank == rank) {
      SendLine(peer->fd,
               "taken " + other.who.substr(0, other.who.find('\n')) + "\n");
      return;
    }
  }
  if (complete_) return;
  peer->rank = rank;
  peer->who = who;
  SendLine(peer->fd, "welcome\n");
}

void Lifeline::Gone(Peer* peer, const std::string& why) {
  if (peer->rank >= 0 && (rank_ > 0 || complete_)) Lose(peer->rank, why);
  Drop(peer);
}

void Lifeline::TakeLine(Peer* peer, const std::string& line) {
  if (StartsWith(line, "hello ")) {
    const size_t space = std::min(line.find(' ', 6), line.size() - 1);
    int64_t rank = 0;
    if (ParseInt(line.substr(6, space - 6), &rank)) {
      Welcome(peer, rank, ReplaceAll(line.substr(space + 1), "\x1f", "\n"));
    }
  } else if (line == "welcome") {
    welcome_ = true;
    changed_.notify_all();
  } else if (StartsWith(line, "taken ")) {
    holder_ = line.substr(6);
  } else if (StartsWith(line, "lost ")) {
    const size_t space = line.find(' ', 5);
    int64_t rank = 0;
    if (space == std::string::npos ||
        !ParseInt(line.substr(5, space - 5), &rank)) {
      return;
    }
    Lose(rank, ReplaceAll(line.substr(space + 1), "\x1f", "\n"));
  } else if (line == "bye") {
    peer->rank = -1;  // may break from now on
  }
}

void Lifeline::Read(Peer* peer) {
  std::array<char, 4096> buffer;
  const ssize_t size =
      ::recv(peer->fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    Gone(peer, "its connection broke: it was killed, or its machine went down");
    return;
  }
  peer->heard = NowSeconds();
  peer->input.append(buffer.data(), static_cast<size_t>(size));
  size_t begin = 0;
  for (size_t end; (end = peer->input.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    TakeLine(peer, peer->input.substr(begin, end - begin));
  }
  peer->input.erase(0, begin);
  if (peer->input.size() > kLongestLine) Drop(peer);
}

void Lifeline::Run() {
  const double interval = std::min(0.5, silence_seconds_ / 8);
  double next_beat = 0;
  double last_turn = NowSeconds();
  while (true) {
    std::vector<pollfd> polled = {{wake_[0], POLLIN, 0},
                                  {listen_fd_, POLLIN, 0}};
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const auto& [fd, peer] : peers_) polled.push_back({fd, POLLIN, 0});
    }
    ::poll(polled.data(), polled.size(), static_cast<int>(interval * 1000) + 1);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (ending_) return;
    const double now = NowSeconds();
    // This process itself was stopped: what the others sent is still unread.
    const bool slept = now - last_turn > silence_seconds_ / 2;
    last_turn = now;
    if (polled[1].revents != 0) {
      const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) {
        Peer peer;
        peer.fd = fd;
        peer.heard = now;
        peers_[fd] = peer;
        // Too late for what was sent to all.
        if (!news_.empty()) SendLine(fd, news_);
      }
    }
    for (size_t i = 2; i < polled.size(); ++i) {
      const auto found = peers_.find(polled[i].fd);
      if (found != peers_.end() && polled[i].revents != 0) {
        Read(&found->second);
      }
    }
    std::vector<Peer*> silent;
    for (auto& [fd, peer] : peers_) {
      if (slept) peer.heard = now;
      if (now - peer.heard > silence_seconds_) silent.push_back(&peer);
    }
    for (Peer* const peer : silent) {
      Gone(peer, "nothing was heard of it for " +
                     DoubleToString(silence_seconds_) + " s");
    }
    if (now >= next_beat) {
      SendToAll("beat\n");
      next_beat = now + interval;
    }
  }
}

}  // namespace t2t
