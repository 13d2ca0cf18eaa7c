#include "t2t/distributed/testing_job.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "t2t/base/error.h"
#include "t2t/distributed/socket.h"

namespace t2t {

Job::Job(int64_t size) {
  cluster_.world_size = size;
  cluster_.address = "127.0.0.1";
  ::close(ListenTcp(cluster_.address, &cluster_.port));
  options_.rendezvous_seconds = 60;
  if (::pipe(ready_) != 0) ::abort();
}

void Job::Start(int64_t rank, const Body& body) {
  int ends[2];
  if (::pipe(ends) != 0) ::abort();
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    cluster_.rank = rank;
    const int code = RunRank(body, ends[1]);
    std::fflush(nullptr);
    ::_exit(code);
  }
  ::close(ends[1]);
  ranks_.push_back({pid, ends[0]});
}

void Job::StartAll(const Body& body) {
  for (int64_t rank = 0; rank < cluster_.world_size; ++rank) {
    Start(rank, body);
  }
}

Job::End Job::Wait(size_t i) const {
  End end;
  char buffer[4096];
  ssize_t size;
  while ((size = ::read(ranks_[i].fd, buffer, sizeof(buffer))) > 0) {
    end.message.append(buffer, static_cast<size_t>(size));
  }
  ::close(ranks_[i].fd);
  int status = 0;
  ::waitpid(ranks_[i].pid, &status, 0);
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return end;
}

void Job::ExpectAllWell() const {
  for (size_t i = 0; i < ranks_.size(); ++i) {
    const End end = Wait(i);
    EXPECT_EQ(end.code, 0) << "rank " << i << ": " << end.message;
  }
}

void Job::Signal(size_t i, int signal) const { ::kill(ranks_[i].pid, signal); }

void Job::TellReady() const {
  if (::write(ready_[1], "x", 1) != 1) ::abort();
}

void Job::AwaitReady(int count) const {
  char byte;
  while (count-- > 0 && ::read(ready_[0], &byte, 1) == 1) {
  }
}

int Job::RunRank(const Body& body, int fd) const {
  std::string message;
  int code = 0;
  try {
    std::unique_ptr<ProcessGroup> group;
    if (cluster_.world_size > 1) {
      group = ProcessGroup::Join(cluster_, options_);
    }
    body(group.get());
    if (::testing::Test::HasFailure()) code = 1;
  } catch (const Error& error) {
    message = error.what();
    code = static_cast<int>(error.code());
  } catch (const std::exception& error) {
    message = error.what();
    code = 1;
  }
  if (::write(fd, message.data(), message.size()) < 0) return 1;
  return code;
}

}  // namespace t2t
