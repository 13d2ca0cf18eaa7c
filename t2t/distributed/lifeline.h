#ifndef T2T_DISTRIBUTED_LIFELINE_H_
#define T2T_DISTRIBUTED_LIFELINE_H_

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace t2t {

// Tells a job's ranks which of them is lost, and why. Each has a connection to
// rank 0, watched by a thread of its own: one that breaks (a killed process
// breaks it at once) or is silent for `silence_seconds` (a stopped process, a
// cut network, a machine without power) is a lost rank, and rank 0 tells the
// others. A rank that ends with an error says so first.
//
// A process is a rank for as long as it is connected to rank 0, from the first
// moment on: one that goes before the ranks are complete leaves its number to
// another.
class Lifeline {
 public:
  struct Loss {
    int64_t rank;
    std::string why;
  };

  // Rank 0's end. address: this machine's, which the others reach.
  static std::unique_ptr<Lifeline> Listen(const std::string& address,
                                          double silence_seconds);
  // Another rank's end; who: this process. Throws an Error (kRetry) where
  // nothing answers, or another process has the rank and does not go.
  static std::unique_ptr<Lifeline> Connect(const std::string& address,
                                           int64_t port, int64_t rank,
                                           const std::string& who,
                                           double silence_seconds);
  // Says goodbye, unless Fail() has said why.
  ~Lifeline();
  Lifeline(const Lifeline&) = delete;
  Lifeline& operator=(const Lifeline&) = delete;

  int64_t port() const { return port_; }
  // Rank 0: the others that are here, and who they are.
  std::map<int64_t, std::string> here() const;
  // Rank 0: whether all of `ranks` are here. From when they are, one that goes
  // is lost.
  bool Complete(int64_t ranks);
  // The first rank lost, if any.
  std::optional<Loss> loss() const;
  // The same, once there is one or after so many seconds.
  std::optional<Loss> WaitForLoss(double seconds) const;
  // This rank ends with an error: what the others are to say of it.
  void Fail(const std::string& why);

 private:
  struct Peer {
    int fd = -1;
    int64_t rank = -1;  // -1: not known yet
    std::string who;
    double heard = 0;
    std::string input;
  };

  Lifeline(int64_t rank, double silence_seconds);

  void Start();
  void Run();
  void Read(Peer* peer);
  void TakeLine(Peer* peer, const std::string& line);
  void Drop(Peer* peer);
  void Welcome(Peer* peer, int64_t rank, const std::string& who);
  // Rank 0: its rank is free again, or it is lost.
  void Gone(Peer* peer, const std::string& why);
  void Lose(int64_t rank, const std::string& why);
  // Both threads: under mutex_.
  void SendToAll(const std::string& line);

  const int64_t rank_;
  const double silence_seconds_;
  int listen_fd_ = -1;
  int64_t port_ = 0;
  int wake_[2] = {-1, -1};

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<int, Peer> peers_;  // by socket
  std::optional<Loss> loss_;
  std::string news_;  // the line about a loss that was sent, if any
  bool ending_ = false;
  bool failed_ = false;
  bool complete_ = false;  // rank 0: the ranks are
  bool welcome_ = false;   // another: is a rank
  std::string holder_;     // who has it instead
  std::thread thread_;
};

}  // namespace t2t

#endif  // T2T_DISTRIBUTED_LIFELINE_H_
