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
#include "launch/run/testing_cli.h"
#include "t2t/base/error.h"
#include "t2t/base/fs.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

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

}  // namespace
}  // namespace t2t
