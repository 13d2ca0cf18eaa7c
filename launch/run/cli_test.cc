#include "launch/run/cli.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "launch/app/app.h"
#include "launch/render/yaml.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

// Stands in for kubectl: keeps what it was called with, answers as a cluster
// where everything has worked (or with $KUBECTL_STATUS).
constexpr char kKubectl[] = R"sh(#!/bin/bash
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

class CliTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = MakeTempDirectory("cli");
    const std::string kubectl = JoinPath(folder_, "bin/kubectl");
    MakeDirectories(DirName(kubectl));
    WriteFileAtomically(kubectl, kKubectl);
    ASSERT_EQ(::chmod(kubectl.c_str(), 0755), 0);
    old_path_ = std::getenv("PATH");
    ::setenv("PATH", (DirName(kubectl) + ":" + old_path_).c_str(), 1);
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

TEST_F(CliTest, EveryExampleWorks) {
  for (const Verb& verb : Verbs()) {
    for (std::string line :
         Split(ReplaceAll(verb.example, " && ", "\n"), '\n')) {
      SCOPED_TRACE(line);
      ASSERT_TRUE(StartsWith(line, "t2t-launch ")) << line;
      line.erase(0, 11);
      const int code = Run(line);
      EXPECT_EQ(code, 0) << line << "\n" << output_;
      if (verb.name == "init") {
        ASSERT_EQ(::chdir("ende"), 0);
      }
    }
    EXPECT_EQ(Run(verb.name + " --help"), 0);
    output_ = ReplaceAll(output_, " \\\n      ", " ");  // a long one goes on so
    EXPECT_TRUE(Says(verb.example)) << verb.name;
    EXPECT_EQ(Run("help " + verb.name), 0);
  }
  EXPECT_EQ(Run("help"), 0);
  for (const Verb& verb : Verbs()) EXPECT_TRUE(Says("  " + verb.name + " "));
}

TEST_F(CliTest, CompletesInBash) {
  EXPECT_EQ(Run("completion bash"), 0);
  WriteFileAtomically("completion", output_);
  WriteFileAtomically("bin/t2t-launch", "#!/bin/sh\necho 'train  train'\n");
  ASSERT_EQ(::chmod("bin/t2t-launch", 0755), 0);
  WriteFileAtomically("try", R"sh(source completion
try() {
  COMP_WORDS=(t2t-launch "$@") COMP_CWORD=$#
  _t2t_launch
  echo "${COMPREPLY[*]}"
}
{
  try sho
  try env a
  try generate dat
  try show tr
  try param set tr
  try show --out
  try logs --fo
} > tried
)sh");
  ASSERT_EQ(std::system("bash try"), 0);
  EXPECT_EQ(ReadFile("tried"),
            "show\nadd\ndatagen\ntrain\ntrain\n--output=\n--follow\n");
  for (const char* const shell : {"zsh", "fish"}) {
    EXPECT_EQ(Run(std::string("completion ") + shell), 0);
    EXPECT_TRUE(Says("port-forward") && Says("list add set describe remove"));
  }
}

TEST_F(CliTest, LayersAndWhereTheyComeFrom) {
  MakeApp();
  EXPECT_EQ(Run("param set train workers 8 --env=lab"), 0);
  EXPECT_EQ(Run("param explain train workers --env=lab"), 0);
  EXPECT_EQ(output_,
            "workers: Pods that train together (int)\n"
            "  default: \"1\" (hidden)\n"
            "  components/train.yaml: \"2\" (hidden)\n"
            "  environments/lab.yaml: \"8\"\n");
  const App app = App::Load(".");
  EXPECT_EQ(app.Resolve("train", "").params.Int("workers"), 2);
  EXPECT_EQ(app.Resolve("train", "lab").params.Int("workers"), 8);
  const Component top = app.Resolve("train", "lab", {{"workers", "16"}});
  EXPECT_EQ(top.params.Int("workers"), 16);
  EXPECT_EQ(top.params.At("workers").source, "command line");
  EXPECT_EQ(Run("show train --env=lab --workers=16 --output=json"), 0);
  EXPECT_TRUE(Says("\"kind\": \"JobSet\""));
  EXPECT_TRUE(Says("\"completions\": 16"));
  EXPECT_EQ(Run("param delete train workers --env=lab"), 0);
  EXPECT_EQ(App::Load(".").Resolve("train", "lab").params.Int("workers"), 2);
  EXPECT_EQ(Run("param delete train workers --env=lab"), 2);
  EXPECT_EQ(Run("param list train"), 0);
  EXPECT_TRUE(Says("components/train.yaml"));
}

TEST_F(CliTest, FactsAreALayer) {
  MakeApp();
  const std::string fact =
      "transformer_tiny on translate_ende_multi30k needs about";
  EXPECT_EQ(Run("param explain train memory"), 0);
  EXPECT_TRUE(Says("  default: \"4Gi\" (hidden)\n  registries: \"3Gi\"\n"))
      << output_;
  EXPECT_TRUE(Says(fact));
  EXPECT_EQ(Run("explain train memory"), 0);
  EXPECT_TRUE(Says(fact));
  EXPECT_EQ(Run("param list train"), 0);
  EXPECT_TRUE(Says("registries: " + fact)) << output_;
  EXPECT_EQ(Run("explain train"), 0);
  EXPECT_TRUE(Says("memory: \"3Gi\" (registries: " + fact)) << output_;
  // Out of the layers above it, and below each of them.
  Run("param set train hparams_set transformer_big --env=lab");
  EXPECT_EQ(Run("param explain train memory --env=lab"), 0);
  EXPECT_TRUE(Says("transformer_big on"));
  EXPECT_EQ(Run("show train --env=lab --memory=20Gi"), 0);
  EXPECT_TRUE(Says("memory: \"20Gi\"") && !Says("memory: \"3Gi\""));
  Run("param set train memory 9Gi");
  EXPECT_EQ(Run("param explain train memory"), 0);
  EXPECT_TRUE(Says("registries: \"3Gi\" (hidden)"));
  EXPECT_TRUE(Says("components/train.yaml: \"9Gi\"\n"));
  // Nothing of it is written down.
  EXPECT_EQ(ReadFile("components/train.yaml").find("registries"),
            std::string::npos);
  // A pipeline's facts come out of its trainings'; one that names itself is
  // refused, not looked at for ever.
  Run("generate datagen");
  Run("generate pipeline");
  EXPECT_EQ(Run("param list pipeline"), 0);
  EXPECT_TRUE(Says("translate_ende_multi30k.val.de"));
  Run("param set pipeline train pipeline");
  EXPECT_EQ(Run("show pipeline"), 2);
  EXPECT_TRUE(Says("one of the prototype train")) << output_;
}

TEST_F(CliTest, FilesEditedByHand) {
  MakeApp();
  WriteFileAtomically("components/train.yaml",
                      "# mine\nprototype: train\nparams:\n"
                      "  workers: 3   # three\n"
                      "  env: {A: 1, B: 'x y'}\n"
                      "  trainer_args:\n    - --t2t_batching\n"
                      "  spot: yes\n");
  const Component component = App::Load(".").Resolve("train", "");
  EXPECT_EQ(component.params.Int("workers"), 3);
  EXPECT_TRUE(component.params.Bool("spot"));
  EXPECT_EQ(component.params.Map("env")[1].second, "x y");
  const auto refused = [&](const std::string& text,
                           const std::string& message) {
    WriteFileAtomically("components/train.yaml", text);
    EXPECT_NE(Run("show"), 0);
    EXPECT_TRUE(Says(message)) << output_;
  };
  refused("prototype: train\nparams:\n  wrkers: 3\n", "'workers'");
  refused("prototype: trian\n", "'train'");
  refused("prototype: train\nparam: {}\n", "'params'");
  refused("prototype: train\nparams: [\n", "line");
  refused("prototype: train\nparams:\n  workers: many\n", "whole number");
}

TEST_F(CliTest, TheSameBytesTwice) {
  MakeApp();
  Run("generate storage");
  Run("generate datagen --shards=4");
  Run("generate serve");
  EXPECT_EQ(Run("show --env=lab"), 0);
  const std::string once = output_;
  EXPECT_EQ(Run("show --env=lab"), 0);
  EXPECT_EQ(output_, once);
  EXPECT_EQ(ParseYamlStream(once)[0].At("kind").AsString(),
            "PersistentVolumeClaim");
  EXPECT_EQ(Run("show --env=lab --output=dir --to=out"), 0);
  EXPECT_TRUE(Exists("out/ende-train.jobset.yaml"));
  EXPECT_EQ(Run("show --output=xml"), 2);
}

TEST_F(CliTest, Mistakes) {
  EXPECT_EQ(Run("show"), 4);
  EXPECT_TRUE(Says("t2t-launch init"));
  MakeApp();
  EXPECT_EQ(Run("shw"), 2);
  EXPECT_TRUE(Says("'show'"));
  EXPECT_EQ(Run("show trian"), 2);
  EXPECT_TRUE(Says("'train'"));
  EXPECT_EQ(Run("show --env=lob"), 2);
  EXPECT_TRUE(Says("'lab'"));
  EXPECT_EQ(Run("show train --wrkers=2"), 2);
  EXPECT_TRUE(Says("'workers'"));
  EXPECT_EQ(Run("status --evn=lab"), 2);
  EXPECT_TRUE(Says("'env'"));
  EXPECT_EQ(Run("generate train"), 2);
  EXPECT_EQ(Run("generate train Big"), 2);
  EXPECT_EQ(Run("generate trian x"), 2);
  EXPECT_EQ(Run("param st train"), 2);
  EXPECT_TRUE(Says("'set'"));
  EXPECT_EQ(Run("param set train workers"), 2);
  EXPECT_EQ(Run("env add lab"), 2);
  EXPECT_EQ(Run("env add x --operators=jobst"), 2);
  EXPECT_TRUE(Says("'jobset'"));
  EXPECT_EQ(Run("apply"), 2);
  EXPECT_EQ(Run("wait train --timeout=soon"), 2);
  EXPECT_EQ(Run("completion tcsh"), 2);
  EXPECT_EQ(Run("init ende --app=."), 2);
  // Nothing is sent where something is wrong.
  EXPECT_EQ(Run("apply train --model=transfromer"), 2);
  EXPECT_TRUE(Says("'transformer'"));
  EXPECT_FALSE(Exists(log_));
}

TEST_F(CliTest, KubectlIsCalled) {
  MakeApp();
  EXPECT_EQ(Run("apply train --env=lab"), 0);
  EXPECT_EQ(LastCall(),
            "--context=big --namespace=mt apply --server-side "
            "--field-manager=t2t-launch -f -");
  const std::string input = ReadFile(log_ + ".input");
  Run("show train --env=lab");
  EXPECT_EQ(input, output_);
  EXPECT_EQ(Run("stop train --env=lab"), 0);
  EXPECT_EQ(LastCall(),
            "--context=big --namespace=mt patch "
            "jobsets.jobset.x-k8s.io/ende-train --type=merge "
            "--patch={\"spec\": {\"suspend\": true}}");
  EXPECT_EQ(Run("resume train --env=lab"), 0);
  EXPECT_TRUE(EndsWith(LastCall(), "{\"suspend\": false}}"));
  EXPECT_EQ(Run("events train --env=lab"), 0);
  EXPECT_TRUE(Says("Evicted: low on memory"));
  EXPECT_FALSE(Says("other"));
  EXPECT_EQ(Run("gc --env=lab"), 0);
  EXPECT_EQ(output_, "job.v1.batch/ende-old\n");
  EXPECT_EQ(Run("gc --env=lab --yes"), 0);
  EXPECT_TRUE(
      EndsWith(LastCall(), "delete --ignore-not-found job.v1.batch/ende-old"));
  EXPECT_EQ(Run("doctor --env=lab"), 0);
  EXPECT_TRUE(Says("jobset       yes"));
  EXPECT_EQ(Run("wait train --env=lab"), 0);
  ::setenv("KUBECTL_STATUS", "Failed", 1);
  EXPECT_EQ(Run("wait train --env=lab"), 20);
  ::setenv("KUBECTL_STATUS", "Created", 1);
  EXPECT_EQ(Run("wait train --env=lab --timeout=0.2"), 21);
  EXPECT_EQ(Run("port-forward train --env=lab"), 2);
  Run("generate storage");
  EXPECT_EQ(Run("delete storage --env=lab"), 0);
  EXPECT_TRUE(Says("is kept"));
  EXPECT_EQ(Run("delete storage --env=lab --yes"), 0);
  EXPECT_TRUE(EndsWith(LastCall(), "delete --ignore-not-found -f -"));
  ::setenv("KUBECTL_CODE", "1", 1);
  EXPECT_EQ(Run("apply train --env=lab"), 138);
  EXPECT_EQ(Run("diff train --env=lab"), 1);
  ::setenv("PATH", "/nowhere", 1);
  EXPECT_EQ(Run("apply train --env=lab"), 4);
}

TEST_F(CliTest, Differences) {
  MakeApp();
  Run("env add small --namespace=mt");
  EXPECT_EQ(Run("diff train --env=lab --against=lab"), 0);
  EXPECT_EQ(output_, "");
  EXPECT_EQ(Run("diff train --env=lab --against=small"), 1);
  EXPECT_TRUE(Says("+kind: JobSet"));
  EXPECT_TRUE(Says("-kind: Job\n"));
  EXPECT_EQ(DiffText("a\nb\nc\n", "a\nx\nc\n", "1", "2"),
            "--- 1\n+++ 2\n@@\n a\n-b\n+x\n c\n \n");
}

TEST_F(CliTest, Imported) {
  MakeApp();
  WriteFileAtomically("web.yaml",
                      "# the web page\napiVersion: v1\nkind: ConfigMap\n"
                      "metadata:\n  name: page\ndata: {a: b}\n");
  EXPECT_EQ(Run("import web web.yaml"), 0);
  EXPECT_TRUE(Says("ConfigMap/page"));
  EXPECT_EQ(ReadFile("imported/web.yaml"), ReadFile("web.yaml"));
  EXPECT_EQ(Run("param set web set ConfigMap/page:data.a=c --env=lab"), 0);
  EXPECT_EQ(Run("show web --env=lab"), 0);
  EXPECT_TRUE(Says("a: c")) << output_;
  EXPECT_TRUE(Says("namespace: mt"));
  EXPECT_EQ(Run("show web"), 0);
  EXPECT_TRUE(Says("a: b"));
  EXPECT_EQ(Run("validate web --env=lab"), 0);
  EXPECT_EQ(Run("apply web --env=lab"), 0);
  // A folder.
  MakeDirectories("more");
  WriteFileAtomically("more/1.yaml", ReadFile("web.yaml"));
  WriteFileAtomically("more/2.json",
                      R"({"apiVersion": "v1", "kind": "Namespace",
                          "metadata": {"name": "mt"}})");
  WriteFileAtomically("more/README", "not one");
  EXPECT_EQ(Run("import more more"), 0);
  EXPECT_TRUE(Says("Namespace/mt"));
  EXPECT_EQ(Run("delete more --env=lab"), 0);
  EXPECT_TRUE(Says("the Namespace mt is kept"));
  // Standard input.
  std::istringstream input(ReadFile("web.yaml"));
  std::streambuf* const old = std::cin.rdbuf(input.rdbuf());
  EXPECT_EQ(Run("import piped -"), 0);
  std::cin.rdbuf(old);
  EXPECT_TRUE(Exists("imported/piped.yaml"));
  EXPECT_EQ(Run("component remove piped"), 0);
  EXPECT_FALSE(Exists("imported/piped.yaml"));
  // What can't be kept leaves nothing behind.
  WriteFileAtomically("bad.yaml", "a: &x 1\n");
  EXPECT_EQ(Run("import bad bad.yaml"), 3);
  EXPECT_TRUE(Says("bad.yaml"));
  EXPECT_FALSE(Exists("components/bad.yaml"));
  EXPECT_FALSE(Exists("imported/bad.yaml"));
  EXPECT_EQ(Run("import web web.yaml"), 2);
  EXPECT_EQ(Run("import other nowhere.yaml"), 4);
  EXPECT_EQ(Run("generate manifests x"), 2);
  EXPECT_TRUE(Says("t2t-launch import"));
}

TEST_F(CliTest, Upgrades) {
  MakeApp();
  EXPECT_EQ(Run("upgrade"), 0);
  EXPECT_TRUE(Says("already"));
  WriteFileAtomically("app.yaml", "apiVersion: t2t.dev/v1\nname: ende\n");
  EXPECT_EQ(Run("show train --env=lab"), 0);
  EXPECT_FALSE(Says("--preemption_grace_seconds="));
  EXPECT_EQ(Run("upgrade --dry_run"), 0);
  EXPECT_TRUE(Says("+") && Says("--preemption_grace_seconds=120")) << output_;
  EXPECT_TRUE(Says("lab, version 3"));
  EXPECT_EQ(App::Load(".").version(), 1);
  EXPECT_EQ(Run("upgrade"), 0);
  EXPECT_EQ(App::Load(".").version(), 3);
  EXPECT_EQ(Run("show train --env=lab"), 0);
  EXPECT_TRUE(Says("--preemption_grace_seconds=120"));
  const std::string file = ReadFile("app.yaml");
  EXPECT_EQ(Run("upgrade"), 0);
  EXPECT_EQ(ReadFile("app.yaml"), file);
  // What can't be rendered keeps the app as it was.
  WriteFileAtomically("app.yaml", "apiVersion: t2t.dev/v1\nname: ende\n");
  WriteFileAtomically("components/train.yaml",
                      "prototype: train\nparams: {ps: 1, backend: job}\n");
  EXPECT_EQ(Run("upgrade"), 2);
  EXPECT_EQ(App::Load(".").version(), 1);
  WriteFileAtomically("app.yaml", "apiVersion: t2t.dev/v9\nname: ende\n");
  EXPECT_EQ(Run("show"), 3);
  EXPECT_TRUE(Says("newer t2t-launch"));
}

TEST_F(CliTest, Explains) {
  EXPECT_EQ(Run("explain 137"), 0);
  EXPECT_TRUE(Says("SIGKILL"));
  MakeApp();
  Run("param set train workers 8 --env=lab");
  EXPECT_EQ(Run("explain train --env=lab"), 0);
  EXPECT_TRUE(Says("hparams_set: transformer_tiny (components/train.yaml)"))
      << output_;
  EXPECT_TRUE(Says("workers: \"8\" (environments/lab.yaml)"));
  EXPECT_TRUE(Says("parameters:  1,975,808")) << output_;
  EXPECT_EQ(Run("explain train workers --env=lab"), 0);
  EXPECT_TRUE(Says("components/train.yaml: \"2\" (hidden)"));
  EXPECT_EQ(Run("explain serve.grpc"), 0);
  EXPECT_EQ(Run("explain nothing_at_all"), 2);
}

TEST_F(CliTest, EstimatesBeforeItIsSent) {
  MakeApp();
  EXPECT_EQ(Run("validate --env=lab"), 0);
  EXPECT_TRUE(Says("train, estimated:")) << output_;
  EXPECT_EQ(Run("run train --env=lab --gpus=2 --gpu_type=h100 "
                "--gpu_hour_price=2 --timeout=5"),
            0);
  EXPECT_TRUE(Says("at a cost of")) << output_;
  RemoveFile(log_);
  EXPECT_EQ(Run("run train --env=lab --gpus=1 --gpu_type=t4 "
                "--hparams=hidden_size=8192,filter_size=32768"),
            2);
  EXPECT_TRUE(Says("a GPU has 16.0 GB")) << output_;
  EXPECT_FALSE(Exists(log_));
  EXPECT_EQ(Run("validate train --memory=2Gi --hparams=batch_size=500000"), 0);
  EXPECT_TRUE(Says("warning: a full batch may not fit")) << output_;
}

TEST_F(CliTest, CheckpointsAndTheirClaim) {
  MakeApp();
  Run("generate storage");
  Run("generate train big --hparams_set=transformer_big");
  // Of another claim.
  Run("generate train other --hparams_set=transformer_big --claim=else");
  EXPECT_EQ(Run("validate"), 0);
  EXPECT_TRUE(
      Says("storage, estimated:\n  checkpoints: 44.8 GB of all "
           "trainings, of 100Gi\n"))
      << output_;
  EXPECT_FALSE(Says("do not fit"));
  EXPECT_EQ(Run("validate storage --size=40G"), 0);
  EXPECT_TRUE(Says("warning: they do not fit")) << output_;
}

TEST_F(CliTest, SweepsHere) {
  MakeApp();
  MakeDirectories("bin");
  // The second trial has the least loss, the third fails for good.
  WriteFileAtomically("bin/t2t-trainer", R"sh(#!/bin/bash
case "$*" in
  *learning_rate=0.1*) loss=2.5 ;;
  *learning_rate=0.2*) loss=1.25 ;;
  *learning_rate=0.3*) exit 6 ;;
  *) loss=3 ;;
esac
echo "t2t-metric: loss=9.9 step=9"
echo "t2t-metric: accuracy=0.5 step=99"
echo "t2t-metric: loss=$loss step=99"
echo "step 100  loss 0.1  lr 1, not t2t-metric: loss=0.1 step=100"
)sh");
  ASSERT_EQ(::chmod("bin/t2t-trainer", 0755), 0);
  EXPECT_EQ(Run("sweep train --grid='learning_rate=0.1|0.2' --local"), 2);
  EXPECT_TRUE(Says("workers=1")) << output_;
  EXPECT_FALSE(Exists("components/train-sweep.yaml"));
  Run("param set train workers 1");
  EXPECT_EQ(Run("sweep train --grid='learning_rate=0.1|0.2|0.3|0.4' "
                "--backend=local --bin_dir=bin"),
            20);
  EXPECT_TRUE(Says("best:  loss 1.2500  ende-train-sweep-1  learning_rate=0.2"))
      << output_;
  EXPECT_TRUE(Says("loss 3.0000  ende-train-sweep-3"));
  EXPECT_TRUE(Says("ende-train-sweep-2: no loss (learning_rate=0.3)"));
  // The same again with another grid.
  EXPECT_EQ(Run("sweep train --grid='learning_rate=0.1|0.2' --local "
                "--bin_dir=bin"),
            0);
  EXPECT_EQ(Run("sweep train --grid='learning_rat=0.1' --no_run"), 2);
  EXPECT_TRUE(Says("learning_rate")) << output_;
  // (The refused grid has not replaced the one before.)
  EXPECT_EQ(
      App::Load(".").Resolve("train-sweep", "").params.Map("grid")[0].first,
      "learning_rate");
  EXPECT_EQ(Run("sweep train --name=train --grid=num_heads=2 --no_run"), 2);
  EXPECT_EQ(Run("sweep trian --grid=num_heads=2 --no_run"), 2);
  EXPECT_EQ(Run("sweep train --env=lab --timeout=5"), 0);
  EXPECT_TRUE(Says("t2t-launch logs train-sweep"));
  // Its objects are the sweep's own.
  EXPECT_NE(ReadFile(log_ + ".input")
                .find("app.kubernetes.io/instance: ende-train-sweep"),
            std::string::npos);
}

TEST_F(CliTest, Pipelines) {
  MakeApp();
  MakeDirectories("bin");
  for (const char* const program : {"t2t-trainer", "t2t-datagen"}) {
    const std::string path = JoinPath("bin", program);
    WriteFileAtomically(path, "#!/bin/sh\nmkdir -p .local; echo \"$0\"\n");
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  }
  EXPECT_EQ(Run("pipeline show"), 2);
  EXPECT_FALSE(Exists("components/pipeline.yaml"));
  Run("generate datagen");
  EXPECT_EQ(Run("pipeline show"), 0);
  EXPECT_TRUE(Says("  train-train  after clear-train-train\n")) << output_;
  EXPECT_TRUE(Says("  deploy  after score-train\n"));
  EXPECT_TRUE(Says("pipeline: train, estimated:"));
  EXPECT_EQ(Run("pipeline show --schedule=daily"), 2);
  EXPECT_EQ(Run("pipeline rn"), 2);
  EXPECT_TRUE(Says("'run'"));
  EXPECT_EQ(Run("pipeline run --env=lab --timeout=5"), 0);
  EXPECT_EQ(Run("pipeline run --local --bin_dir=bin"), 20);  // no t2t-decoder
}

TEST_F(CliTest, RunsHere) {
  MakeApp();
  MakeDirectories("bin");
  WriteFileAtomically("bin/t2t-trainer",
                      "#!/bin/sh\necho \"$JOB_COMPLETION_INDEX: $*\"\n");
  ASSERT_EQ(::chmod("bin/t2t-trainer", 0755), 0);
  EXPECT_EQ(Run("run train --env=lab --backend=local --bin_dir=bin"), 0);
  EXPECT_TRUE(Says("[ende-train-worker-0-1] 1: --problem=")) << output_;
  EXPECT_TRUE(Says("/.local/t2t/train/train"));
  EXPECT_FALSE(Exists(log_));
  WriteFileAtomically("bin/t2t-trainer", "#!/bin/sh\nexit 7\n");
  ASSERT_EQ(::chmod("bin/t2t-trainer", 0755), 0);
  EXPECT_EQ(Run("run train --env=lab --local --bin_dir=bin"), 20);
  EXPECT_TRUE(Says("ended with 7, which is not tried again"));
}

}  // namespace
}  // namespace t2t
