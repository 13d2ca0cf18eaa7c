// What the programs do on a disk that is full: a tmpfs of a few pages, mounted
// where only this process and its children see it. Skipped where that isn't
// permitted.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"

namespace t2t {
namespace {

// Why this process can't have mounts of its own; "" where it has them.
std::string EnterOwnMounts() {
  static const std::string* const why = new std::string([]() -> std::string {
    const uid_t user = ::getuid();
    const gid_t group = ::getgid();
    if (::unshare(CLONE_NEWNS) != 0) {
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return std::string("unshare: ") + std::strerror(errno);
      }
      // These files take one write, and are no place for a temporary name.
      const auto write = [](const char* path, const std::string& text) {
        const int file = ::open(path, O_WRONLY);
        const bool good = ::write(file, text.data(), text.size()) ==
                          static_cast<ssize_t>(text.size());
        ::close(file);
        return good;
      };
      if (!write("/proc/self/uid_map", Format("0 %u 1", user)) ||
          !write("/proc/self/setgroups", "deny") ||
          !write("/proc/self/gid_map", Format("0 %u 1", group))) {
        return "a user namespace without users";
      }
    }
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return std::string("mount: ") + std::strerror(errno);
    }
    return "";
  }());
  return *why;
}

class FullDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why = EnterOwnMounts();
    disk_ = Path("disk");
    MakeDirectories(disk_);
    if (why.empty() &&
        ::mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=4m,mode=0777") != 0) {
      why = std::string("mount: ") + std::strerror(errno);
    }
    if (!why.empty()) {
      disk_.clear();
      GTEST_SKIP() << "no small disk can be mounted here (" << why << ")";
    }
  }

  void TearDown() override {
    if (!disk_.empty()) {
      EXPECT_EQ(::umount(disk_.c_str()), 0) << std::strerror(errno);
    }
    RemoveTree(dir_);
  }

  std::string Path(const std::string& name) const {
    return JoinPath(dir_, name);
  }
  std::string OnDisk(const std::string& name) const {
    return JoinPath(disk_, name);
  }

  int64_t FreeBytes() const {
    struct statvfs info;
    EXPECT_EQ(::statvfs(disk_.c_str(), &info), 0);
    return static_cast<int64_t>(info.f_bavail * info.f_frsize);
  }

  // Fills the disk so that no more than `left` bytes (of whole pages) are free.
  void Fill(int64_t left) {
    const int64_t page = ::sysconf(_SC_PAGESIZE);
    const int64_t size = FreeBytes() - left / page * page;
    ASSERT_GT(size, 0);
    WriteFileAtomically(OnDisk("filler"),
                        std::string(static_cast<size_t>(size), 'x'));
    ASSERT_LE(FreeBytes(), left);
  }
  void MakeRoom() { RemoveFile(OnDisk("filler")); }

  // One message, which names the file and the reason; the exit code for it.
  void ExpectDiskFull(const RunResult& run, const std::string& program,
                      const std::string& file) const {
    EXPECT_EQ(run.code, 5) << run.output;
    const size_t message = run.output.find(program + ": can't write ");
    ASSERT_NE(message, std::string::npos) << run.output;
    const std::string text = run.output.substr(message);
    EXPECT_NE(text.find(file), std::string::npos) << text;
    EXPECT_NE(text.find("No space left on device"), std::string::npos) << text;
    EXPECT_NE(text.find("free some space"), std::string::npos) << text;
    EXPECT_EQ(text.find(program + ":", 1), std::string::npos) << text;
  }

  void ExpectNoLeftovers(const std::string& folder) const {
    for (const std::string& name : ListDirectory(folder)) {
      EXPECT_EQ(name.find(".tmp-"), std::string::npos) << name;
      EXPECT_EQ(name.find("writer"), std::string::npos) << name;
      EXPECT_EQ(name.find("writer"), std::string::npos) << name;
    }
  }

  RunResult Train(const std::string& output_dir, int steps) const {
    return RunProgram(
        {"t2t/bin/trainer/t2t-trainer", "--generate_data",
         "--problem=translate_numbers_ende", "--model=transformer",
         "--hparams_set=transformer_tiny",
         "--hparams=batch_size=200,hidden_size=32,filter_size=64,num_heads=2,"
         "num_hidden_layers=1",
         "--data_dir=" + Path("data"), "--tmp_dir=" + Path("tmp"),
         "--output_dir=" + output_dir, "--schedule=train", "--threads=1",
         "--train_steps=" + std::to_string(steps), "--local_eval_frequency=4",
         "--keep_checkpoint_max=2", "--log_step_count_steps=1"});
  }

  static RunResult Generate(const std::string& data_dir) {
    return RunProgram({"t2t/bin/datagen/t2t-datagen",
                       "--problem=translate_numbers_ende", "--max_cases=3000",
                       "--num_shards=4", "--data_dir=" + data_dir});
  }

  std::string dir_ = MakeTempDirectory("full_disk");
  std::string disk_;
};

TEST_F(FullDiskTest, Trainer) {
  ASSERT_EQ(Train(Path("whole"), 16).code, 0);
  const std::string expected =
      ReadFile(Path("whole/model.ckpt-16.safetensors"));

  const std::string model = OnDisk("model");
  ASSERT_EQ(Train(model, 8).code, 0);
  const std::string last = model + "/model.ckpt-8.safetensors";
  const std::string kept = ReadFile(last);
  const std::string index = ReadFile(model + "/checkpoint");
  // Room for half a checkpoint: the one of step 12 can't be written.
  Fill(static_cast<int64_t>(kept.size() / 2));
  ExpectDiskFull(Train(model, 16), "t2t-trainer", "/model.ckpt-12.safetensors");
  // No room at all.
  MakeRoom();
  Fill(0);
  ExpectDiskFull(Train(model, 16), "t2t-trainer", model);
  EXPECT_EQ(ReadFile(last), kept);
  EXPECT_EQ(ReadFile(model + "/checkpoint"), index);
  EXPECT_FALSE(Exists(model + "/model.ckpt-12.safetensors"));
  ExpectNoLeftovers(model);

  MakeRoom();
  const RunResult run = Train(model, 16);
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_NE(run.output.find("going on at step 8"), std::string::npos)
      << run.output;
  EXPECT_EQ(ReadFile(model + "/model.ckpt-16.safetensors"), expected);
}

TEST_F(FullDiskTest, TrainerAtItsStart) {
  const std::string model = OnDisk("model");
  Fill(0);
  ExpectDiskFull(Train(model, 4), "t2t-trainer", model);
  MakeRoom();
  const RunResult run = Train(model, 4);
  EXPECT_EQ(run.code, 0) << run.output;
}

TEST_F(FullDiskTest, Datagen) {
  ASSERT_EQ(Generate(Path("whole")).code, 0);
  int64_t bytes = 0;
  for (const std::string& name : ListDirectory(Path("whole"))) {
    bytes += FileSize(Path("whole/" + name));
  }
  const std::string data = OnDisk("data");
  // In the midst of the shards, and before anything is written.
  for (const int64_t room : {bytes / 2, int64_t{0}}) {
    Fill(room);
    ExpectDiskFull(Generate(data), "t2t-datagen", data);
    ExpectNoLeftovers(data);
    MakeRoom();
  }
  const RunResult run = Generate(data);
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(ListDirectory(data), ListDirectory(Path("whole")));
  for (const std::string& name : ListDirectory(data)) {
    EXPECT_EQ(ReadFile(JoinPath(data, name)), ReadFile(Path("whole/" + name)))
        << name;
  }
}

TEST_F(FullDiskTest, Decoder) {
  ASSERT_EQ(Train(Path("model"), 4).code, 0);
  std::string text;
  for (int i = 0; i < 200; ++i) text += "one hundred\n";
  WriteFileAtomically(Path("in"), text);
  const auto decode = [&](const std::string& out) {
    return RunProgram({"t2t/bin/decoder/t2t-decoder",
                       "--output_dir=" + Path("model"), "--threads=1",
                       "--decode_from_file=" + Path("in"),
                       "--decode_to_file=" + out,
                       "--decode_hparams=beam_size=1,batch_size=10"});
  };
  RunResult run = decode(Path("out"));
  ASSERT_EQ(run.code, 0) << run.output;
  const std::string expected = ReadFile(Path("out"));
  ASSERT_GT(expected.size(), 15000u);

  const std::string out = OnDisk("out");
  // While the results come in.
  Fill(static_cast<int64_t>(expected.size() / 2));
  ExpectDiskFull(decode(out), "t2t-decoder", out + ".partial");
  EXPECT_FALSE(Exists(out));
  EXPECT_TRUE(Exists(out + ".partial"));
  // At the end, when they are written in order.
  MakeRoom();
  Fill(static_cast<int64_t>(expected.size() * 3 / 2));
  run = decode(out);
  ExpectDiskFull(run, "t2t-decoder", out + ".tmp-");
  EXPECT_NE(run.output.find("going on with"), std::string::npos) << run.output;
  EXPECT_FALSE(Exists(out));
  ExpectNoLeftovers(disk_);

  MakeRoom();
  run = decode(out);
  EXPECT_EQ(run.code, 0) << run.output;
  EXPECT_NE(run.output.find("200 of 200 lines are done"), std::string::npos)
      << run.output;
  EXPECT_EQ(ReadFile(out), expected);
  EXPECT_FALSE(Exists(out + ".partial"));
}

}  // namespace
}  // namespace t2t
