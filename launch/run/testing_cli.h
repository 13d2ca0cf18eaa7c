#ifndef T2T_LAUNCH_RUN_TESTING_CLI_H_
#define T2T_LAUNCH_RUN_TESTING_CLI_H_

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "launch/app/app.h"
#include "launch/render/yaml.h"
#include "launch/run/cli.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {

// Stands in for kubectl: keeps what it was called with, answers as a cluster
// where everything has worked (or with $KUBECTL_STATUS).
inline constexpr char kKubectl[] = R"sh(#!/bin/bash
echo "$*" >> "$KUBECTL_LOG"
verb=
for word in "$@"; do
  case $word in -*) ;; *) verb=$word; break ;; esac
done
case "$verb" in
  apply|delete|diff)
    case "$*" in *"-f -"*) cat > "$KUBECTL_LOG.input" ;; esac ;;
  api-resources) printf 'jobs.batch\njobsets.jobset.x-k8s.io\n' ;;
  get)
    case "$*" in
      *events*) cat "$KUBECTL_LOG.events" ;;
      *managed-by*) cat "$KUBECTL_LOG.objects" ;;
      *--output=json*)
        echo "{\"status\": {\"conditions\": [{\"type\":" \
          "\"${KUBECTL_STATUS:-Complete}\", \"status\": \"True\"}]}}" ;;
    esac ;;
esac
exit "${KUBECTL_CODE:-0}"
)sh";

// Stands in for t2t-trainer --dry_run --json, on problems with the vocabulary
// of translate_ende_multi30k; keeps what it was called with.
inline constexpr char kTrainer[] = R"sh(#!/bin/bash
case "$*" in *--dry_run*--json*) ;; *) echo "$*"; exit 9 ;; esac
echo "$*" >> "$KUBECTL_LOG.asked"
parameters=1975808
case "$*" in *transformer_big*) parameters=184709120 ;; esac
step='{"flops": 6e10, "activation_bytes": 180000000}' why=
case "$*" in
  *batch_size=500000*) step='{"flops": 6e12, "activation_bytes": 18000000000}' ;;
  *hidden_size=8192*) parameters=6000000000 step=null why='"why_no_step": "big",' ;;
esac
cat <<END
{"version": 1, "vocabularies": {"inputs": 8192, "targets": 8192},
 "parameters": $parameters, "weight_bytes": $((4 * parameters)),
 "gradient_bytes": $((4 * parameters)), "optimizer_bytes": $((8 * parameters)),
 "checkpoint_bytes": $((12 * parameters)), "computes_in_16_bits": false,
 $why "step": $step}
END
)sh";

class CliTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = MakeTempDirectory("cli");
    const std::string bin = JoinPath(folder_, "bin");
    MakeDirectories(bin);
    for (const auto& [name, script] :
         {std::pair("kubectl", kKubectl), std::pair("t2t-trainer", kTrainer)}) {
      const std::string path = JoinPath(bin, name);
      WriteFileAtomically(path, script);
      ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
    }
    old_path_ = std::getenv("PATH");
    ::setenv("PATH", (bin + ":" + old_path_).c_str(), 1);
    log_ = JoinPath(folder_, "log");
    ::setenv("KUBECTL_LOG", log_.c_str(), 1);
    WriteFileAtomically(log_ + ".events", R"({"items": [
        {"involvedObject": {"kind": "Pod", "name": "ende-train-0"},
         "lastTimestamp": "2024-01-01T00:00:00Z", "type": "Warning",
         "reason": "Evicted", "message": "low on memory"},
        {"involvedObject": {"kind": "Pod", "name": "other"}}]})");
    WriteFileAtomically(log_ + ".objects", R"({"items": [
        {"apiVersion": "batch/v1", "kind": "Job", "metadata":
         {"name": "ende-old", "labels":
          {"app.kubernetes.io/instance": "ende-old"}}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata":
         {"name": "ende-train", "labels":
          {"app.kubernetes.io/instance": "ende-train"}}}]})");
    char* const here = ::getcwd(nullptr, 0);
    old_folder_ = here;
    std::free(here);
    ASSERT_EQ(::chdir(folder_.c_str()), 0);
  }

  void TearDown() override {
    ASSERT_EQ(::chdir(old_folder_.c_str()), 0);
    ::setenv("PATH", old_path_.c_str(), 1);
    ::unsetenv("KUBECTL_STATUS");
    ::unsetenv("KUBECTL_CODE");
    RemoveTree(folder_);
  }

  // An app with one of each, in its folder.
  void MakeApp() {
    Run("init ende");
    ASSERT_EQ(::chdir("ende"), 0);
    Run("env add lab --namespace=mt --context=big --operators=jobset");
    Run("generate train --hparams_set=transformer_tiny --workers=2");
  }

  int Run(const std::string& line) {
    std::vector<std::string> words;
    for (const std::string& word : Split(line, ' ')) {
      if (!word.empty()) words.push_back(ReplaceAll(word, "'", ""));
    }
    testing::internal::CaptureStdout();
    try {
      const int code = RunLaunch(words);
      output_ = testing::internal::GetCapturedStdout();
      return code;
    } catch (const Error& error) {
      output_ = testing::internal::GetCapturedStdout() + error.what();
      return static_cast<int>(error.code());
    }
  }

  bool Says(const std::string& text) const {
    return output_.find(text) != std::string::npos;
  }

  std::string LastCall() const {
    const std::vector<std::string> lines = Split(ReadFile(log_), '\n');
    return lines[lines.size() - 2];
  }

  std::string folder_, log_, old_path_, old_folder_;
  std::string output_;
};

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_TESTING_CLI_H_
