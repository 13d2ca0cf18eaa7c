#include "launch/run/local.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "launch/render/prototypes.h"
#include "launch/render/train.h"
#include "launch/run/backoff.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// Stands in for t2t-trainer: finds its place out of what its operator sets,
// counts to 12 in a file, and goes on from there when it is started again.
constexpr char kTrainer[] = R"sh(#!/bin/bash
set -eu
for argument in "$@"; do
  case $argument in
    --output_dir=*) out=${argument#*=} ;;
    --hparams=exit=*) wanted=${argument#--hparams=exit=} ;;
  esac
done
if [[ -n ${TF_CONFIG:-} ]]; then
  type=$(sed -E 's/.*"type": "([a-z]+)".*/\1/' <<< "$TF_CONFIG")
  index=$(sed -E 's/.*"index": ([0-9]+).*/\1/' <<< "$TF_CONFIG")
  place="$type-$index"
elif [[ -n ${PET_NNODES:-} && -z ${RANK:-} ]]; then
  place="$PET_NODE_RANK of $PET_NNODES at $PET_MASTER_ADDR"
elif [[ -n ${RANK:-} ]]; then
  place="$RANK of $WORLD_SIZE at $MASTER_ADDR"
elif [[ -n ${OMPI_COMM_WORLD_RANK:-} ]]; then
  place="$OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE at $MASTER_ADDR"
elif [[ -n ${JOB_COMPLETIONS:-} ]]; then
  place="$JOB_COMPLETION_INDEX of $JOB_COMPLETIONS at $MASTER_ADDR"
else
  place="alone"
fi
mkdir -p "$out"
file="$out/$place"
if [[ -n ${wanted:-} ]]; then
  echo x >> "$file.tries"
  exit "$wanted"
fi
count=$(cat "$file" 2>/dev/null || echo 0)
echo "$place from $count"
while ((count < 12)); do
  count=$((count + 1))
  echo "$count" > "$file.tmp"
  mv "$file.tmp" "$file"
  sleep 0.05
done
)sh";

class LocalTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = MakeTempDirectory("local");
    options_.work_dir = JoinPath(folder_, "claims");
    options_.bin_dir = JoinPath(folder_, "bin");
    options_.timeout_seconds = 60;
    options_.restart_seconds = 0.01;
    MakeDirectories(options_.bin_dir);
    Program("t2t-trainer", kTrainer);
  }

  void TearDown() override { RemoveTree(folder_); }

  void Program(const std::string& name, const std::string& text) {
    const std::string path = JoinPath(options_.bin_dir, name);
    WriteFileAtomically(path, text);
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  }

  static Component Make(
      const std::string& name, const std::string& prototype,
      const std::vector<std::pair<std::string, std::string>>& settings) {
    Component component;
    component.app = "app";
    component.name = name;
    component.prototype = prototype;
    component.params = Params(FindPrototype(prototype).params);
    for (const auto& [param, text] : settings) {
      component.params.SetText(param, text, "test");
    }
    return component;
  }

  std::string Out(const std::string& file) const {
    return JoinPath(options_.work_dir, "t2t/train/train/" + file);
  }

  std::string folder_;
  LocalOptions options_;
};

TEST_F(LocalTest, EveryBackendRunsIsKilledAndGoesOn) {
  options_.chaos = 1;
  options_.chaos_seconds = 0.1;
  for (const std::string& backend : TrainBackends()) {
    RemoveTree(options_.work_dir);
    const LocalResult result =
        RunLocally(Render(Make("train", "train",
                               {{"backend", backend}, {"workers", "2"}})),
                   options_);
    EXPECT_TRUE(result.done) << backend << ": " << result.failure;
    EXPECT_EQ(result.killed, 1) << backend;
    EXPECT_GE(result.restarts, 0) << backend;
    std::vector<std::string> places = {"0 of 2 at 127.0.0.1",
                                       "1 of 2 at 127.0.0.1"};
    if (backend == "tfjob") places = {"chief-0", "worker-0"};
    if (backend == "tfjob-v1alpha1") places = {"master-0", "worker-0"};
    // A TFJob is done when its chief is, whatever the others do.
    if (StartsWith(backend, "tfjob")) places.pop_back();
    if (backend == "pytorchjob") places.pop_back();
    for (const std::string& place : places) {
      ASSERT_TRUE(Exists(Out(place))) << backend << " " << place;
      EXPECT_EQ(ReadFile(Out(place)), "12\n") << backend;
    }
  }
}

TEST_F(LocalTest, ExitCodesDecide) {
  for (const char* const backend : {"job", "jobset", "pytorchjob", "tfjob"}) {
    for (const auto& [code, tries] :
         std::vector<std::pair<std::string, size_t>>{{"2", 1}, {"138", 3}}) {
      RemoveTree(options_.work_dir);
      const LocalResult result =
          RunLocally(Render(Make("train", "train",
                                 {{"backend", backend},
                                  {"retries", "2"},
                                  {"hparams", "exit=" + code}})),
                     options_);
      EXPECT_FALSE(result.done);
      EXPECT_FALSE(result.timed_out);
      size_t lines = 0;
      for (const std::string& path : Glob(Out("*.tries"))) {
        lines += ReadFile(path).size() / 2;
      }
      EXPECT_EQ(lines, tries) << backend << " " << code;
    }
  }
}

TEST(BackoffTest, DoublesUntilARunHasLasted) {
  Backoff backoff(0.1, 0.5, 10);
  for (const double pause : {0.1, 0.2, 0.4, 0.5, 0.5}) {
    EXPECT_DOUBLE_EQ(backoff.Next(1), pause);
  }
  EXPECT_DOUBLE_EQ(backoff.Next(10), 0.1);
  EXPECT_DOUBLE_EQ(backoff.Next(9.9), 0.2);
}

// A burst of failures does not use up all restarts at once.
TEST_F(LocalTest, PausesGrow) {
  Program("t2t-trainer", R"sh(#!/bin/bash
for a in "$@"; do case $a in --output_dir=*) o=${a#*=} ;; esac; done
mkdir -p "$o"
date +%s%N >> "$o/started"
exit 138
)sh");
  options_.restart_seconds = 0.1;
  options_.restart_most_seconds = 0.4;
  for (const char* const backend : {"job", "jobset"}) {
    RemoveTree(options_.work_dir);
    EXPECT_FALSE(RunLocally(Render(Make("train", "train",
                                        {{"backend", backend},
                                         {"workers", "1"},
                                         {"retries", "4"}})),
                            options_)
                     .done);
    std::vector<int64_t> times;
    for (const std::string& line : Split(ReadFile(Out("started")), '\n')) {
      int64_t time = 0;
      if (ParseInt(line, &time)) times.push_back(time);
    }
    ASSERT_EQ(times.size(), 5) << backend;
    const double least[] = {0.1, 0.2, 0.4, 0.4};
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_GE(static_cast<double>(times[i + 1] - times[i]) / 1e9, least[i])
          << backend;
    }
  }
}

TEST_F(LocalTest, IndexedJobsRunEveryIndexAFewAtATime) {
  Program("t2t-datagen", R"sh(#!/bin/bash
for a in "$@"; do
  case $a in
    --data_dir=*) d=${a#*=} ;;
    --task_id=*) i=${a#*=} ;;
  esac
done
mkdir -p "$d/now" && touch "$d/now/$i"
ls "$d/now" | wc -l >> "$d/at_once"
sleep 0.1
rm "$d/now/$i"
touch "$d/shard-$i"
)sh");
  const LocalResult result = RunLocally(
      Render(
          Make("datagen", "datagen",
               {{"shards", "5"}, {"eval_shards", "1"}, {"parallelism", "2"}})),
      options_);
  EXPECT_TRUE(result.done) << result.failure;
  const std::string data = JoinPath(options_.work_dir, "t2t/data");
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(Exists(JoinPath(data, "shard-" + std::to_string(i))));
  }
  EXPECT_EQ(ReadFile(JoinPath(data, "at_once")).find('3'), std::string::npos);
}

TEST_F(LocalTest, APipelineDeploysWhereBleuRises) {
  Program("t2t-datagen", "#!/bin/sh\nexit 0\n");
  Program("t2t-decoder", R"sh(#!/bin/bash
for a in "$@"; do
  case $a in
    --output_dir=*) o=${a#*=} ;;
    --decode_to_file=*) f=${a#*=} ;;
  esac
done
basename "$o" > "$f"
)sh");
  // "b" is the better one.
  Program("t2t-bleu", R"sh(#!/bin/bash
for a in "$@"; do case $a in --translation=*) f=${a#*=} ;; esac; done
case $(cat "$f") in a) s=10.5 ;; b) s=30.25 ;; esac
echo "BLEU_uncased = 99.0"
echo "BLEU_cased = $s"
)sh");
  Program("t2t-exporter", R"sh(#!/bin/bash
for a in "$@"; do
  case $a in
    --output_dir=*) o=${a#*=} ;;
    --export_dir=*) e=${a#*=} ;;
  esac
done
mkdir -p "$e" && basename "$o" > "$e/model"
)sh");
  Component pipeline = Make("all", "pipeline", {{"train", "a,b"}});
  pipeline.find = [](const std::string& name) {
    return name == "datagen" ? Make(name, "datagen", {})
                             : Make(name, "train", {{"workers", "2"}});
  };
  const LocalResult result = RunLocally(Render(pipeline), options_);
  EXPECT_TRUE(result.done) << result.failure;
  const std::string target = JoinPath(options_.work_dir, "t2t/export/t2t");
  EXPECT_EQ(ReadFile(JoinPath(target, "1/model")), "b\n");
  // The second time BLEU does not rise.
  EXPECT_TRUE(RunLocally(Render(pipeline), options_).done);
  EXPECT_FALSE(Exists(JoinPath(target, "2")));
}

TEST_F(LocalTest, APipelinesOwnStepsGoByExitCodes) {
  Program("t2t-datagen", "#!/bin/sh\nexit 0\n");
  Program("t2t-bleu", "#!/bin/sh\necho 'BLEU_cased = 1.5'\n");
  Program("t2t-exporter", "#!/bin/sh\nexit 4\n");
  // The first time another process was lost.
  const std::string tried = JoinPath(folder_, "tried");
  Program("t2t-decoder", "#!/bin/sh\n[ -e " + tried + " ] && exit 0\ntouch " +
                             tried + "\nexit 138\n");
  Component pipeline = Make("all", "pipeline", {});
  pipeline.find = [](const std::string& name) { return Make(name, name, {}); };
  const LocalResult result = RunLocally(Render(pipeline), options_);
  EXPECT_EQ(result.restarts, 1);
  EXPECT_NE(result.failure.find("deploy ended with 4, which is not tried"),
            std::string::npos)
      << result.failure;
}

TEST_F(LocalTest, ASweepsTrialsRunAfterEachOther) {
  Component sweep = Make("sweep", "sweep", {{"grid", "a=1|2,b=3|4"}});
  sweep.find = [](const std::string& name) { return Make(name, "train", {}); };
  Program("t2t-trainer", R"sh(#!/bin/bash
for a in "$@"; do
  case $a in
    --output_dir=*) o=${a#*=} ;;
    --hparams=*) h=${a#--hparams=} ;;
  esac
done
mkdir -p "$o" && echo "$h" > "$o/hparams"
)sh");
  EXPECT_TRUE(RunLocally(Render(sweep), options_).done);
  const std::string folder = JoinPath(options_.work_dir, "t2t/sweep");
  EXPECT_EQ(ReadFile(JoinPath(folder, "0/hparams")), "a=1,b=3\n");
  EXPECT_EQ(ReadFile(JoinPath(folder, "3/hparams")), "a=2,b=4\n");
}

TEST_F(LocalTest, RefusesWhatCanNotRunHere) {
  EXPECT_THROW(RunLocally(Render(Make("serve", "serve", {})), options_), Error);
  RemoveFile(JoinPath(options_.bin_dir, "t2t-trainer"));
  try {
    RunLocally(Render(Make("train", "train", {})), options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMissing) << error.what();
  }
}

TEST_F(LocalTest, TimeRunsOut) {
  Program("t2t-trainer", "#!/bin/sh\nsleep 100\n");
  options_.timeout_seconds = 0.3;
  const LocalResult result =
      RunLocally(Render(Make("train", "train", {})), options_);
  EXPECT_FALSE(result.done);
  EXPECT_TRUE(result.timed_out);
}

}  // namespace
}  // namespace t2t
