#ifndef T2T_TESTS_FAULT_NETNS_H_
#define T2T_TESTS_FAULT_NETNS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace t2t {

// Machines of a test: network namespaces, each with one cable to a switch in
// the test's own namespace. Addresses: 10.77.0.1, ... All see the same files.
class TestNetwork {
 public:
  // The calling process, which must have one thread, moves into a network
  // namespace of its own (once). Where that is not possible error() says why.
  explicit TestNetwork(int machines);
  ~TestNetwork();
  TestNetwork(const TestNetwork&) = delete;
  TestNetwork& operator=(const TestNetwork&) = delete;

  const std::string& error() const { return error_; }
  static std::string Address(int machine);
  // The command, to be run there.
  std::vector<std::string> On(int machine,
                              const std::vector<std::string>& command) const;
  // Pulls the cable out, and plugs it in again.
  void SetLink(int machine, bool up);

 private:
  bool Ip(const std::vector<std::string>& arguments, int machine = -1);

  std::string error_;
  std::vector<pid_t> holders_;  // a process in each namespace
};

}  // namespace t2t

#endif  // T2T_TESTS_FAULT_NETNS_H_
