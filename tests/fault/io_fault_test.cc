// A tiny training job (and data generation, and decoding) in which the n-th
// write, fsync, rename or open fails, or at which a signal comes. Whatever
// happens: what can be read is right, the last good checkpoint is there, the
// file and the errno are named, and the same command ends with the same bytes
// as if nothing had happened.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/checkpoint/checkpoint.h"
#include "t2t/checkpoint/safetensors.h"

namespace t2t {
namespace {

constexpr int kSteps = 6;
constexpr char kTrainer[] = "t2t/bin/trainer/t2t-trainer";
constexpr char kDecoder[] = "t2t/bin/decoder/t2t-decoder";
const char* const kModelFlags[] = {
    "--problem=translate_numbers_ende", "--model=transformer",
    "--hparams_set=transformer_tiny",
    "--hparams=batch_size=100,hidden_size=8,filter_size=8,num_heads=2,"
    "num_hidden_layers=1"};

// What the shim is to do, see failing_io.cc.
struct Fault {
  std::string op;
  std::string match;
  int at = 0;
  std::string then;
};

struct Outcome {
  int code = 0;
  std::string output;
  std::string fired;  // the path; "" where it did not come to it
  int count = 0;      // operations counted
};

// The first line of a text that starts with head, without it.
std::string LineAfter(const std::string& head, const std::string& text) {
  for (const std::string& line : Split(text, '\n')) {
    if (StartsWith(line, head)) return line.substr(head.size());
  }
  return "";
}

bool OneLineHas(const std::string& text, const std::string& a,
                const std::string& b) {
  for (const std::string& line : Split(text, '\n')) {
    if (line.find(a) != std::string::npos &&
        line.find(b) != std::string::npos) {
      return true;
    }
  }
  return false;
}

class IoFaultTest : public ::testing::Test {
 protected:
  // The data, and a run that is left alone, saving every two steps.
  static void SetUpTestSuite() {
    dir_ = MakeTempDirectory("io_fault");
    const RunResult run = RunProgram(
        Train("whole", {"--generate_data", "--keep_checkpoint_max=0"}));
    ASSERT_EQ(run.code, 0) << run.output;
    ASSERT_EQ(RunProgram(Train("begun", {"--train_steps=2"})).code, 0);
    ASSERT_TRUE(ReadFile(CheckpointFile("begun", 2)) ==
                ReadFile(CheckpointFile("whole", 2)));
  }
  static void TearDownTestSuite() { RemoveTree(dir_); }

  static std::string Path(const std::string& name) {
    return JoinPath(dir_, name);
  }

  static std::string CheckpointFile(const std::string& run, int step) {
    return Path(run + "/model.ckpt-" + std::to_string(step) + ".safetensors");
  }

  static std::vector<std::string> Train(const std::string& output_dir,
                                        const std::vector<std::string>& more) {
    std::vector<std::string> command = {kTrainer};
    command.insert(command.end(), std::begin(kModelFlags),
                   std::end(kModelFlags));
    for (const std::string& flag :
         {"--data_dir=" + Path("data"), "--tmp_dir=" + Path("tmp"),
          "--output_dir=" + Path(output_dir), std::string("--schedule=train"),
          std::string("--threads=1"), "--train_steps=" + std::to_string(kSteps),
          std::string("--local_eval_frequency=2"),
          std::string("--keep_checkpoint_max=2"),
          std::string("--log_step_count_steps=1"),
          std::string("--eval_steps=2")}) {
      command.push_back(flag);
    }
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  static std::vector<std::string> WithFault(
      const Fault& fault, const std::vector<std::string>& command) {
    std::vector<std::string> all = {"/usr/bin/env",
                                    "LD_PRELOAD=tests/fault/failing_io.so",
                                    "T2T_IO_OP=" + fault.op,
                                    "T2T_IO_MATCH=" + fault.match,
                                    "T2T_IO_AT=" + std::to_string(fault.at),
                                    "T2T_IO_THEN=" + fault.then,
                                    "T2T_IO_REPORT=" + Path("report")};
    all.insert(all.end(), command.begin(), command.end());
    return all;
  }

  static Outcome Run(const Fault& fault,
                     const std::vector<std::string>& command) {
    RemoveFile(Path("report"));
    const RunResult run = RunProgram(WithFault(fault, command));
    Outcome outcome{run.code, run.output, "", 0};
    if (!Exists(Path("report"))) return outcome;
    const std::string report = ReadFile(Path("report"));
    outcome.fired = LineAfter("fired ", report);
    outcome.count = std::atoi(LineAfter("count ", report).c_str());
    return outcome;
  }

  // A fresh folder that a run has begun in.
  static std::string Begin() {
    static int number = 0;
    const std::string name = "run" + std::to_string(number++) + "x";
    MakeDirectories(Path(name));
    for (const std::string& file : ListDirectory(Path("begun"))) {
      if (StartsWith(file, "events")) continue;
      WriteFileAtomically(JoinPath(Path(name), file),
                          ReadFile(JoinPath(Path("begun"), file)));
    }
    return name;
  }

  // Every checkpoint there is that of the run that was left alone, and there
  // is one. (A step at which that run saved nothing is only looked through.)
  static void ExpectGoodCheckpoints(const std::string& run,
                                    const std::string& whole = "whole") {
    const std::vector<std::string> paths =
        Glob(Path(run + "/model.ckpt-*.safetensors"));
    EXPECT_FALSE(paths.empty());
    for (const std::string& path : paths) {
      EXPECT_NO_THROW(VerifySafetensorsFile(path));
      const std::string other = JoinPath(Path(whole), BaseName(path));
      if (Exists(other)) {
        EXPECT_TRUE(ReadFile(path) == ReadFile(other)) << path;
      }
    }
  }

  static void ExpectNoLeftovers(const std::string& run) {
    for (const char* const left : {"/*.tmp-*", "/.writer-*", "/writer.lock"}) {
      EXPECT_EQ(Glob(Path(run + left)), std::vector<std::string>());
    }
  }

  // The same command again, without a fault, gets to the same end.
  static void ExpectGoesOn(const std::string& run,
                           const std::vector<std::string>& more = {},
                           const std::string& whole = "whole") {
    const RunResult again = RunProgram(Train(run, more));
    EXPECT_EQ(again.code, 0) << again.output;
    ExpectGoodCheckpoints(run, whole);
    ExpectNoLeftovers(run);
    EXPECT_TRUE(ReadFile(CheckpointFile(run, kSteps)) ==
                ReadFile(CheckpointFile(whole, kSteps)))
        << run;
    EXPECT_TRUE(StartsWith(
        ReadFile(Path(run + "/checkpoint")),
        "model_checkpoint_path: \"model.ckpt-" + std::to_string(kSteps)));
    RemoveTree(Path(run));
  }

  // n = 1, 2, ... of an operation until none is the n-th; without
  // T2T_FAULT_IO=all only some of them.
  static void EveryOne(const std::string& op, const std::string& then) {
    const bool all = std::string(Environment("T2T_FAULT_IO")) == "all";
    const std::string counted = Begin();
    const Outcome whole = Run({op, "/" + counted, 0, ""}, Train(counted, {}));
    ASSERT_EQ(whole.code, 0) << whole.output;
    ASSERT_GT(whole.count, 0);
    RemoveTree(Path(counted));
    int faults = 0;
    int at = 1;
    while (true) {
      const std::string run = Begin();
      const std::string name =
          op + " " + std::to_string(at) + " " + then + " in " + run;
      const Outcome outcome = Run({op, "/" + run, at, then}, Train(run, {}));
      if (outcome.fired.empty()) {
        EXPECT_EQ(outcome.code, 0) << name << "\n" << outcome.output;
        EXPECT_GT(at, whole.count);
        ExpectGoesOn(run);
        break;
      }
      ++faults;
      SCOPED_TRACE(name + ": " + outcome.fired + "\n" + outcome.output);
      ExpectGoodCheckpoints(run);
      if (then == "kill") {
        EXPECT_EQ(outcome.code, -SIGKILL);
      } else {
        EXPECT_EQ(outcome.code, static_cast<int>(ExitCode::kIo));
        ExpectNoLeftovers(run);
        // (The path may be known under another name, by a link.)
        const size_t name_at = outcome.fired.find("/" + run);
        const size_t name_end = outcome.fired.find(".tmp-");
        EXPECT_TRUE(OneLineHas(
            outcome.output, outcome.fired.substr(name_at, name_end - name_at),
            "(errno " + then + ")"));
      }
      ExpectGoesOn(run);
      if (HasFailure()) return;
      const int stride = all ? 1 : std::max(1, (whole.count + 2) / 3);
      at = at <= whole.count ? std::min(at + stride, whole.count + 1) : at + 1;
    }
    std::printf("%s, %s: %d of %d tried\n", op.c_str(), then.c_str(), faults,
                whole.count);
  }

  static const char* Environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
  }

  static std::string dir_;
};

std::string IoFaultTest::dir_;

TEST_F(IoFaultTest, EveryWriteFails) {
  EveryOne("write", std::to_string(ENOSPC));
}

TEST_F(IoFaultTest, EveryFsyncFails) { EveryOne("fsync", std::to_string(EIO)); }

TEST_F(IoFaultTest, EveryRenameFails) {
  EveryOne("rename", std::to_string(EIO));
}

TEST_F(IoFaultTest, EveryOpenFails) {
  EveryOne("open", std::to_string(EMFILE));
}

TEST_F(IoFaultTest, KilledAtEveryWriteFsyncAndRename) {
  for (const char* op : {"write", "fsync", "rename"}) EveryOne(op, "kill");
}

// Each rank writes its own part of a checkpoint: where the second can't, or is
// killed, both end, nothing is taken for a checkpoint that is none, and the job
// goes on from the one before. Without T2T_FAULT_IO=all one of each kind of
// operation.
class ShardFaultTest : public IoFaultTest,
                       public ::testing::WithParamInterface<const char*> {
 protected:
  // The run's checkpoint has the bits of the one of "whole_shards".
  void ExpectSame(const std::string& run, int step) const {
    const auto tensors = [&](const std::string& name) {
      return LoadCheckpoint(CheckpointFile(name, step)).tensors;
    };
    const auto expected = tensors("whole_shards");
    const auto actual = tensors(run);
    EXPECT_EQ(actual.size(), expected.size());
    for (const auto& [name, tensor] : actual) {
      EXPECT_TRUE(tensor.equal(expected.at(name))) << name;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(All, ShardFaultTest,
                         ::testing::Values("--zero_stage=2",
                                           "--mesh_shape=model:2"));

TEST_P(ShardFaultTest, ARankCannotWriteItsShard) {
  const std::vector<std::string> more = {"--worker_cpu=2", "--deterministic",
                                         GetParam(), "--sharded_checkpoints",
                                         "--keep_checkpoint_max=0"};
  RemoveTree(Path("whole_shards"));
  const RunResult whole = RunProgram(Train("whole_shards", more));
  ASSERT_EQ(whole.code, 0) << whole.output;
  const bool all = std::string(Environment("T2T_FAULT_IO")) == "all";
  int faults = 0;
  int kills = 0;
  struct Case {
    const char* op;
    int error;  // 0: the rank is killed
  };
  for (const Case& each :
       {Case{"write", ENOSPC}, Case{"fsync", EIO}, Case{"rename", EIO},
        Case{"open", EMFILE}, Case{"write", 0}, Case{"fsync", 0},
        Case{"rename", 0}}) {
    const bool kill = each.error == 0;
    const std::string then = kill ? "kill" : std::to_string(each.error);
    for (int at = all ? 1 : 2;; ++at) {
      const std::string run =
          "shard_" + then + each.op + std::to_string(at) + "x";
      const Outcome outcome =
          Run({each.op, "-1-of-2.", at, then}, Train(run, more));
      if (outcome.fired.empty()) {
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        break;
      }
      ++(kill ? kills : faults);
      SCOPED_TRACE(outcome.fired + "\n" + outcome.output);
      if (kill) {
        EXPECT_EQ(outcome.code, static_cast<int>(ExitCode::kRetry));
        EXPECT_TRUE(
            OneLineHas(outcome.output, "rank 1", "was ended by SIGKILL"));
      } else {
        EXPECT_EQ(outcome.code, static_cast<int>(ExitCode::kIo));
        EXPECT_TRUE(OneLineHas(outcome.output, "-1-of-2.safetensors",
                               "(errno " + then + ")"));
      }
      int newest = 0;
      for (const int64_t step : ListCheckpoints(Path(run))) {
        newest = static_cast<int>(step);
        ExpectSame(run, newest);
      }
      EXPECT_LT(newest, kSteps);
      const RunResult again = RunProgram(Train(run, more));
      EXPECT_EQ(again.code, 0) << again.output;
      ExpectSame(run, kSteps);
      ExpectNoLeftovers(run);
      RemoveTree(Path(run));
      if (!all || HasFailure()) break;
    }
  }
  std::printf("%s: %d faults in a rank's own part, killed there %d times\n",
              GetParam(), faults, kills);
}

// SIGTERM exactly where a phase has begun.
TEST_F(IoFaultTest, SigtermInEachPhaseOfTraining) {
  struct Phase {
    const char* name;
    const char* op;
    const char* match;
    int at;
    int least_step;  // of the checkpoint that is left
    std::vector<std::string> more;
  };
  const std::vector<std::string> evaluates = {
      "--schedule=train_and_evaluate", "--eval_early_stopping_steps=1000"};
  // (Its checkpoints have notes on evaluations.)
  std::vector<std::string> whole_flags = evaluates;
  whole_flags.push_back("--keep_checkpoint_max=0");
  const RunResult evaluated = RunProgram(Train("evaluated", whole_flags));
  ASSERT_EQ(evaluated.code, 0) << evaluated.output;
  for (const Phase& phase : std::vector<Phase>{
           {"first step", "open", "translate_numbers_ende-train", 1, 1, {}},
           {"step", "write", "events.out", 9, 3, {}},
           {"evaluation", "open", "ende-dev", 1, 2, evaluates},
           {"save, write", "write", "ckpt-4", 1, 4, {}},
           {"save, fsync", "fsync", "ckpt-4", 1, 4, {}},
           {"save, rename", "rename", "ckpt-4", 1, 4, {}},
           {"save, index", "rename", "/checkpoint", 2, 4, {}}}) {
    const std::string run = "phase";
    const Outcome outcome =
        Run({phase.op, phase.match, phase.at, "term"}, Train(run, phase.more));
    SCOPED_TRACE(std::string(phase.name) + "\n" + outcome.output);
    const std::string whole = phase.more.empty() ? "whole" : "evaluated";
    EXPECT_NE(outcome.fired, "");
    EXPECT_EQ(outcome.code, 143);
    EXPECT_NE(
        outcome.output.find("the checkpoint is written and was read back"),
        std::string::npos);
    ExpectGoodCheckpoints(run, whole);
    ExpectNoLeftovers(run);
    int newest = -1;
    for (int step = 1; step <= kSteps; ++step) {
      if (Exists(CheckpointFile(run, step))) newest = step;
    }
    EXPECT_GE(newest, phase.least_step);
    EXPECT_NE(outcome.output.find("after step " + std::to_string(newest)),
              std::string::npos);
    std::printf("SIGTERM, %s: checkpoint of step %d\n", phase.name, newest);
    ExpectGoesOn(run, phase.more, whole);
  }
}

TEST_F(IoFaultTest, SigtermWhileDataIsGenerated) {
  const auto command = [&] {
    std::vector<std::string> all =
        Train("generated", {"--generate_data", "--data_dir=" + Path("data2")});
    return all;
  };
  const Outcome whole = Run({"write", "/data2", 0, ""}, command());
  ASSERT_EQ(whole.code, 0) << whole.output;
  ASSERT_GT(whole.count, 4);
  for (const int at : {1, whole.count / 2, whole.count}) {
    RemoveTree(Path("data2"));
    RemoveTree(Path("generated"));
    const Outcome outcome = Run({"write", "/data2", at, "term"}, command());
    SCOPED_TRACE(outcome.output);
    EXPECT_EQ(outcome.code, 143);
    EXPECT_NE(outcome.output.find("t2t-trainer: stopped by SIGTERM"),
              std::string::npos);
    const RunResult again = RunProgram(command());
    EXPECT_EQ(again.code, 0) << again.output;
    EXPECT_EQ(ListDirectory(Path("data2")), ListDirectory(Path("data")));
    for (const std::string& name : ListDirectory(Path("data"))) {
      EXPECT_TRUE(ReadFile(Path("data2/" + name)) ==
                  ReadFile(Path("data/" + name)))
          << name;
    }
    std::printf("SIGTERM, data generation, write %d of %d\n", at, whole.count);
  }
}

TEST_F(IoFaultTest, SigtermWhileDecoding) {
  std::string text;
  for (int i = 0; i < 12; ++i) text += "one hundred\ntwo\n";
  WriteFileAtomically(Path("in.txt"), text);
  const auto command = [&](const std::string& to) {
    std::vector<std::string> all = {kDecoder,
                                    "--data_dir=" + Path("data"),
                                    "--output_dir=" + Path("whole"),
                                    "--decode_from_file=" + Path("in.txt"),
                                    "--decode_to_file=" + Path(to),
                                    "--decode_hparams=batch_size=4,beam_size=1,"
                                    "extra_length=4",
                                    "--threads=1"};
    return all;
  };
  const Outcome whole =
      Run({"write", "whole.txt.partial", 0, ""}, command("whole.txt"));
  ASSERT_EQ(whole.code, 0) << whole.output;
  ASSERT_GT(whole.count, 6);
  for (const int at : {2, whole.count / 2, whole.count}) {
    const Outcome outcome =
        Run({"write", "cut.txt.partial", at, "term"}, command("cut.txt"));
    SCOPED_TRACE(outcome.output);
    EXPECT_EQ(outcome.code, 143);
    EXPECT_FALSE(Exists(Path("cut.txt")));
    const RunResult again = RunProgram(command("cut.txt"));
    EXPECT_EQ(again.code, 0) << again.output;
    EXPECT_EQ(ReadFile(Path("cut.txt")), ReadFile(Path("whole.txt")));
    RemoveFile(Path("cut.txt"));
    std::printf("SIGTERM, decoding, write %d of %d\n", at, whole.count);
  }
}

// A disk that hangs: the grace is kept, the exit code says that the checkpoint
// was not written.
TEST_F(IoFaultTest, TheGraceIsKept) {
  const std::string run = Begin();
  const double start = NowSeconds();
  const Outcome outcome = Run({"fsync", "ckpt-4", 1, "termhang"},
                              Train(run, {"--preemption_grace_seconds=1"}));
  EXPECT_LT(NowSeconds() - start, 30);
  EXPECT_EQ(outcome.code, static_cast<int>(ExitCode::kRetry)) << outcome.output;
  EXPECT_NE(outcome.output.find("--preemption_grace_seconds is over; the "
                                "newest checkpoint is that of step 2"),
            std::string::npos)
      << outcome.output;
  EXPECT_FALSE(Exists(CheckpointFile(run, 4)));
  ExpectGoodCheckpoints(run);
  ExpectGoesOn(run);
}

TEST_F(IoFaultTest, ASecondSignalEndsItAtOnce) {
  const std::string run = Begin();
  RemoveFile(Path("report"));
  Subprocess process(WithFault({"fsync", "ckpt-4", 1, "termhang"},
                               Train(run, {"--preemption_grace_seconds=0"})));
  while (!Exists(Path("report")) && !process.EndsWithin(0.01)) {
  }
  EXPECT_FALSE(process.EndsWithin(1.5));
  process.Signal(SIGTERM);
  EXPECT_TRUE(process.EndsWithin(5));
  EXPECT_EQ(process.Wait(), 143) << process.Output();
  ExpectGoesOn(run);
}

}  // namespace
}  // namespace t2t
