// What t2t-trainer says, and its exit codes, as its user sees them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "t2t/base/fs.h"
#include "t2t/base/json.h"
#include "t2t/base/strings.h"
#include "t2t/base/subprocess.h"
#include "t2t/checkpoint/checkpoint.h"

namespace t2t {
namespace {

class TrainerCliTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = MakeTempDirectory("trainer_cli");
    const RunResult run =
        Train({"--generate_data", "--output_dir=" + Out("a"), "--train_steps=2",
               "--eval_steps=2", "--local_eval_frequency=2"});
    ASSERT_EQ(run.code, 0) << run.output;
    first_output_ = run.output;
  }

  static std::string Out(const std::string& name) {
    return JoinPath(dir_, name);
  }

  static RunResult Train(const std::vector<std::string>& more) {
    std::vector<std::string> command = {
        "t2t/bin/trainer/t2t-trainer",
        "--problem=translate_numbers_ende",
        "--model=transformer",
        "--hparams_set=transformer_tiny",
        "--hparams=batch_size=200,hidden_size=16,filter_size=32,num_heads=2,"
        "num_hidden_layers=1",
        "--data_dir=" + Out("data"),
        "--tmp_dir=" + Out("tmp")};
    command.insert(command.end(), more.begin(), more.end());
    return RunProgram(command);
  }

  static void Expect(const RunResult& run, int code,
                     const std::vector<std::string>& texts) {
    EXPECT_EQ(run.code, code) << run.output;
    for (const std::string& text : texts) {
      EXPECT_NE(run.output.find(text), std::string::npos)
          << "'" << text << "' in: " << run.output;
    }
  }

  // Every file of a folder, but for what a trainer locks it with.
  static std::map<std::string, std::string> Snapshot(const std::string& dir) {
    std::map<std::string, std::string> files;
    for (const std::string& name : ListDirectory(dir)) {
      const std::string path = JoinPath(dir, name);
      if (name == "writer.lock") continue;
      if (!IsDirectory(path)) {
        files[path] = ReadFile(path);
      } else {
        files.merge(Snapshot(path));
      }
    }
    return files;
  }

  static std::string dir_;
  static std::string first_output_;
};

std::string TrainerCliTest::dir_;
std::string TrainerCliTest::first_output_;

TEST_F(TrainerCliTest, TrainsAndEvaluates) {
  EXPECT_EQ(ListCheckpoints(Out("a")), (std::vector<int64_t>{2}));
  EXPECT_NE(first_output_.find("evaluation at step 2"), std::string::npos)
      << first_output_;
  for (const char* metric :
       {"accuracy", "accuracy_top5", "accuracy_per_sequence",
        "neg_log_perplexity", "approx_bleu_score"}) {
    EXPECT_NE(first_output_.find(metric), std::string::npos) << metric;
  }
  EXPECT_EQ(ListDirectory(JoinPath(Out("a"), "eval")).size(), 1u);
  const Json hparams =
      Json::Parse(ReadFile(JoinPath(Out("a"), "hparams.json")));
  EXPECT_EQ(hparams.At("hidden_size").AsInt(), 16);
  EXPECT_NE(ReadFile(JoinPath(Out("a"), "flags.txt"))
                .find("--problem=translate_numbers_ende"),
            std::string::npos);
  Expect(Train({"--output_dir=" + Out("a"), "--schedule=evaluate",
                "--eval_steps=1"}),
         0, {"evaluation at step 2"});
  Expect(Train({"--output_dir=" + Out("a"), "--schedule=continuous_eval",
                "--eval_steps=1", "--train_steps=2"}),
         0, {"evaluation at step 2"});
}

TEST_F(TrainerCliTest, KeepsTheBest) {
  const std::string out = Out("best");
  // The learning rate is far too high, so that the loss goes up and down.
  const std::vector<std::string> flags = {
      "--output_dir=" + out,
      "--schedule=train_and_evaluate",
      "--eval_steps=2",
      "--local_eval_frequency=1",
      "--keep_checkpoint_max=1",
      "--keep_best",
      "--hp_learning_rate_schedule=constant",
      "--hp_learning_rate_constant=3"};
  std::vector<std::string> more = flags;
  more.push_back("--train_steps=6");
  const RunResult run = Train(more);
  Expect(run, 0, {"kept as the best so far: loss"});
  // The first of the lowest losses of the log.
  int64_t best_step = 0;
  double best_loss = 0;
  for (int64_t step = 1; step <= 6; ++step) {
    size_t at = run.output.find("evaluation at step " + std::to_string(step));
    ASSERT_NE(at, std::string::npos) << run.output;
    at = run.output.find(" loss ", at);
    const double loss = std::strtod(run.output.c_str() + at + 6, nullptr);
    if (best_step == 0 || loss < best_loss) {
      best_step = step;
      best_loss = loss;
    }
  }
  const Json record = Json::Parse(ReadFile(JoinPath(out, "best/best.json")));
  EXPECT_EQ(record.At("step").AsInt(), best_step) << run.output;
  EXPECT_NEAR(record.At("value").AsDouble(), best_loss, 1e-4);
  EXPECT_EQ(ListCheckpoints(out), (std::vector<int64_t>{6}));
  EXPECT_EQ(ListCheckpoints(JoinPath(out, "best")),
            (std::vector<int64_t>{best_step}));
  EXPECT_TRUE(Exists(JoinPath(out, "best/flags.txt")));
  more = flags;
  more.push_back("--train_steps=7");
  more.push_back("--keep_best_metric=acuracy");
  Expect(Train(more), 2, {"--keep_best_metric=acuracy", "'accuracy'"});
  more = flags;
  more.push_back("--schedule=train");
  Expect(Train(more), 2, {"--keep_best"});
  EXPECT_EQ(ListCheckpoints(out), (std::vector<int64_t>{6}));
}

TEST_F(TrainerCliTest, DryRunWritesNothing) {
  const RunResult run = Train({"--output_dir=" + Out("dry"), "--dry_run"});
  // No step is run, so there are no products to count.
  Expect(
      run, 0,
      {"parameters:", "FLOPs per step:   not counted", "memory:", "inputs:"});
  const RunResult measured =
      Train({"--output_dir=" + Out("dry"), "--dry_run", "--measure"});
  Expect(measured, 0,
         {"parameters:", "(matrix products of this batch)",
          "activations of this batch "});
  EXPECT_EQ(measured.output.find("see --measure"), std::string::npos);
  const auto line = [](const RunResult& run, const std::string& start) {
    const size_t at = run.output.find(start);
    return run.output.substr(at, run.output.find('\n', at) - at);
  };
  EXPECT_EQ(line(run, "parameters:"), line(measured, "parameters:"));
  EXPECT_FALSE(Exists(Out("dry")));
  Expect(Train({"--output_dir=" + Out("dry"), "--measure"}), 2,
         {"--measure without --dry_run"});
}

// Of a full batch, for programs. What only people read goes to stderr.
TEST_F(TrainerCliTest, DryRunAsJson) {
  const auto ask = [](const std::vector<std::string>& flags) {
    std::vector<std::string> command = {"bash",
                                        "-c",
                                        "\"$@\" 2>/dev/null",
                                        "-",
                                        "t2t/bin/trainer/t2t-trainer",
                                        "--dry_run",
                                        "--json",
                                        "--problem=translate_numbers_ende",
                                        "--model=transformer",
                                        "--hparams_set=transformer_tiny",
                                        "--hparams=hidden_size=16"};
    command.insert(command.end(), flags.begin(), flags.end());
    const RunResult run = RunProgram(command);
    EXPECT_EQ(run.code, 0) << run.output;
    return Json::Parse(run.output);
  };
  const Json with = ask({"--data_dir=" + JoinPath(dir_, "data")});
  EXPECT_TRUE(with.At("data").AsBool());
  EXPECT_TRUE(with.At("vocabulary_known").AsBool());
  EXPECT_EQ(with.At("first_batch").At("inputs").items().size(), 2U);
  const int64_t parameters = with.At("parameters").AsInt();
  EXPECT_EQ(with.At("weight_bytes").AsInt(), 4 * parameters);
  EXPECT_EQ(with.At("optimizer_bytes").AsInt(), 8 * parameters);
  EXPECT_EQ(with.At("checkpoint_bytes").AsInt(), 12 * parameters);
  EXPECT_GT(with.At("step").At("flops").AsDouble(), 1e6);
  EXPECT_GT(with.At("step").At("activation_bytes").AsInt(), 100000);
  EXPECT_EQ(with.At("learning_rates").items().size(), 3U);
  for (const std::string& data_dir : {std::string(), Out("not_there")}) {
    const Json without = ask({"--data_dir=" + data_dir});
    EXPECT_FALSE(without.At("data").AsBool());
    EXPECT_TRUE(without.At("first_batch").is_null());
    // The larger vocabulary that the problem's row says.
    EXPECT_FALSE(without.At("vocabulary_known").AsBool());
    EXPECT_GT(without.At("vocabularies").At("inputs").AsInt(),
              with.At("vocabularies").At("inputs").AsInt());
    EXPECT_GT(without.At("parameters").AsInt(), parameters);
  }
  // For people data is missing as ever.
  Expect(Train({"--dry_run", "--data_dir=" + Out("not_there")}), 4,
         {"t2t-datagen"});
  Expect(Train({"--dry_run", "--json", "--measure"}), 2, {"--measure"});
}

TEST_F(TrainerCliTest, RegistryHelp) {
  const auto ask = [](std::vector<std::string> flags) {
    flags.insert(flags.begin(), "t2t/bin/trainer/t2t-trainer");
    return RunProgram(flags);
  };
  const RunResult all = ask({"--registry_help"});
  Expect(all, 0,
         {"transformer_base", "translate_numbers_ende", "adafactor",
          "arXiv:1706.03762", "not here yet", "universal_transformer_base",
          "class_label", "approx_bleu_score"});
  EXPECT_LT(all.output.find("transformer_base"),
            all.output.find("universal_transformer_base"));
  // A registry; a pattern of one; of any; two of them.
  const std::string problems = ask({"--registry_help=problems"}).output;
  EXPECT_EQ(problems.find("transformer_base"), std::string::npos);
  EXPECT_NE(problems.find("  image:\n"), std::string::npos) << problems;
  const std::string some =
      ask({"--registry_help=problems:algorithmic_sh*,sets:lstm_area*"}).output;
  EXPECT_NE(some.find("problems (1):"), std::string::npos) << some;
  EXPECT_NE(some.find("lstm_area_attention_base"), std::string::npos) << some;
  EXPECT_EQ(some.find("algorithmic_sort"), std::string::npos) << some;
  Expect(ask({"--registry_help=adafactor"}), 0, {"optimizers (1):"});
  Expect(ask({"--registry_help=problems:translate_number_ende"}), 2,
         {"of the problems", "translate_numbers_ende"});
  Expect(ask({"--registry_help=problem:x"}), 2, {"did you mean 'problems'"});
  const Json json = Json::Parse(
      ask({"--registry_help=problems:translate_enfr_wmt8k", "--json"}).output);
  ASSERT_EQ(json.items().size(), 1U);
  const Json& inputs = json.items()[0].At("features").At("inputs");
  EXPECT_EQ(inputs.At("vocabulary").AsString(), "subwords");
  EXPECT_EQ(inputs.At("size").AsInt(), 8192);
  EXPECT_GT(json.items()[0].At("corpora").items().size(), 0U);
}

TEST_F(TrainerCliTest, HParamsArePrintedWithoutProblemOrModel) {
  const auto ask = [](const std::vector<std::string>& flags) {
    std::vector<std::string> command = {"t2t/bin/trainer/t2t-trainer"};
    command.insert(command.end(), flags.begin(), flags.end());
    return RunProgram(command);
  };
  Expect(ask({"--hparams_set=transformer_big", "--print_hparams"}), 0,
         {"* hidden_size=1024", "transformer_base < ", "Width of the vectors"});
  // Changed, and as JSON; of a model that is not here, too.
  Expect(ask({"--hparams_set=glow_hparams", "--print_hparams", "--json",
              "--hparams=batch_size=7"}),
         0, {"\"batch_size\": 7", "\"hidden_size\": "});
  Expect(ask({"--diff_hparams=transformer_base,transformer_big"}), 0,
         {"hidden_size: 512 -> 1024", "num_heads: 8 -> 16"});
  Expect(ask({"--diff_hparams=transformer_base,transformer_big", "--json"}), 0,
         {"\"num_heads\": ["});
  Expect(ask({"--print_hparams"}), 2, {"--hparams_set"});
  Expect(ask({"--hparams_set=transformer_bigg", "--print_hparams"}), 2,
         {"transformer_big"});
  Expect(ask({"--hparams_set=transformer_big", "--print_hparams",
              "--hparams=hidden_sise=3"}),
         2, {"hidden_size"});
  Expect(ask({"--diff_hparams=transformer_base"}), 2, {"two sets"});
  Expect(ask({"--json"}), 2, {"--print_hparams"});
}

TEST_F(TrainerCliTest, ASetOfAnAbsentModelIsRefused) {
  Expect(Train({"--output_dir=" + Out("absent"), "--hparams_set=glow_hparams"}),
         2, {"glow, which is not here yet", "--print_hparams"});
  EXPECT_FALSE(Exists(Out("absent")));
}

TEST_F(TrainerCliTest, ShapesThatDoNotFit) {
  const RunResult run = Train({"--output_dir=" + Out("a"), "--hp_hidden_size",
                               "32", "--train_steps=4"});
  Expect(run, 7, {"hidden_size: 16 -> 32", "parameter 'transformer/"});
  EXPECT_EQ(ListCheckpoints(Out("a")), (std::vector<int64_t>{2}));
  EXPECT_EQ(Json::Parse(ReadFile(JoinPath(Out("a"), "hparams.json")))
                .At("hidden_size")
                .AsInt(),
            16);
}

// A run of 2 layers, of which a model of 1 layer would take half.
TEST_F(TrainerCliTest, FinishedRunIsNotSpoilt) {
  const std::string out = "--output_dir=" + Out("two");
  Expect(Train({out, "--hp_num_hidden_layers", "2", "--train_steps=1",
                "--schedule=train"}),
         0, {});
  const auto before = Snapshot(Out("two"));
  const std::vector<std::string> one = {out, "--hparams=num_hidden_layers=1",
                                        "--eval_steps=1"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> flags = one;
    flags.insert(flags.end(), more.begin(), more.end());
    return Train(flags);
  };
  const std::vector<std::string> texts = {"layer_1", "model.ckpt-1",
                                          "the model lacks"};
  Expect(with({"--train_steps=1"}), 7, texts);
  Expect(with({"--train_steps=2", "--schedule=train"}), 7, texts);
  Expect(with({"--schedule=evaluate"}), 7, texts);
  Expect(with({"--dry_run"}), 7, texts);
  EXPECT_EQ(Snapshot(Out("two")), before);
}

TEST_F(TrainerCliTest, NothingToDoWritesNothing) {
  const auto before = Snapshot(Out("a"));
  Expect(Train({"--output_dir=" + Out("a"), "--train_steps=2", "--eval_steps=2",
                "--keep_checkpoint_max=1", "--hp_learning_rate=0.3"}),
         0, {"are done already", "evaluation at step 2"});
  EXPECT_EQ(Snapshot(Out("a")), before);
}

TEST_F(TrainerCliTest, AnotherRunIsRefused) {
  const auto before = Snapshot(Out("a"));
  const std::string out = "--output_dir=" + Out("a");
  const std::string more = "--train_steps=3";
  Expect(Train({out, more, "--problem=translate_numbers_ende_rev"}), 7,
         {"the problem is translate_numbers_ende_rev, not "
          "translate_numbers_ende",
          "--warm_start_from"});
  Expect(Train({out, more, "--hparams_set=transformer_small"}), 7,
         {"the hparams set is transformer_small, not transformer_tiny"});
  Expect(Train({out, more, "--model=transformer_scorer"}), 7,
         {"the model is transformer_scorer, not transformer"});
  Expect(Train({out, more, "--hparams_set=transformer_small", "--dry_run"}), 7,
         {"transformer_small"});
  // Of the same size, with other pieces.
  const std::string data = Out("other_data");
  MakeDirectories(data);
  for (const std::string& name : ListDirectory(Out("data"))) {
    std::string bytes = ReadFile(JoinPath(Out("data"), name));
    if (StartsWith(name, "vocab.")) {
      std::vector<std::string> lines = Split(bytes, '\n');
      std::swap(lines.at(10), lines.at(11));
      bytes = Join(lines, "\n");
    }
    WriteFileAtomically(JoinPath(data, name), bytes);
  }
  const std::string other = "--data_dir=" + data;
  const std::vector<std::string> texts = {"vocabulary", "sha256", data};
  Expect(Train({out, other, more, "--schedule=train"}), 7, texts);
  Expect(Train({out, other, more, "--schedule=train", "--worker_cpu=2"}), 7,
         texts);
  Expect(Train({out, other, "--schedule=evaluate"}), 7, texts);
  Expect(Train({out, other, "--dry_run"}), 7, texts);
  EXPECT_EQ(Snapshot(Out("a")), before);
}

TEST_F(TrainerCliTest, BadInput) {
  const std::string out = "--output_dir=" + Out("bad");
  Expect(Train({out, "--modell=x"}), 2, {"--modell", "--model"});
  Expect(Train({out, "--model=transformr"}), 2, {"transformer"});
  Expect(Train({out, "--problem=translate_number_ende"}), 2,
         {"translate_numbers_ende"});
  Expect(Train({out, "--hparams_set=transformer_tinny"}), 2,
         {"transformer_tiny"});
  Expect(Train({out, "--hparams=hidden_sise=3"}), 2, {"hidden_size"});
  Expect(Train({out, "--hparams=hidden_size=three"}), 2, {"hidden_size"});
  Expect(Train({out, "--hparams=optimizer=adan"}), 2, {"adam"});
  Expect(Train({out, "--hparams=learning_rate_schedule=constan"}), 2,
         {"constant"});
  Expect(Train({out, "--schedule=trian"}), 2, {"train"});
  Expect(Train({out, "--train_steps=0"}), 2, {"--train_steps"});
  Expect(Train({out, "--train_steps=many"}), 2, {"--train_steps"});
  Expect(Train({out, "--data_dir="}), 2, {"--data_dir"});
  Expect(Train({"--output_dir="}), 2, {"--output_dir"});
  Expect(Train({out, "word"}), 2, {"word"});
  Expect(Train({out, "--data_dir=" + Out("nowhere")}), 4, {"nowhere"});
  Expect(Train({out, "--schedule=evaluate"}), 4, {"no checkpoint"});
  Expect(Train({out, "--eval_early_stopping_steps=5",
                "--eval_early_stopping_metric=acuracy"}),
         2, {"accuracy"});
  Expect(Train({out, "--warm_start_from=" + Out("nowhere")}), 4, {"nowhere"});
  EXPECT_FALSE(Exists(Out("bad")));
}

// tensorflow/tensor2tensor#546.
TEST_F(TrainerCliTest, EveryHParamsFlagCountsInOrder) {
  const auto parameters = [](const std::vector<std::string>& more) {
    const RunResult run = Train(more);
    EXPECT_EQ(run.code, 0) << run.output;
    const size_t at = run.output.find("parameters:");
    return run.output.substr(at, run.output.find('\n', at) - at);
  };
  const std::string one =
      parameters({"--dry_run", "--hparams=filter_size=64,hidden_size=32"});
  EXPECT_EQ(parameters({"--dry_run", "--hparams=filter_size=8",
                        "--hp_filter_size", "64", "--hparams=hidden_size=32"}),
            one);
  EXPECT_NE(parameters({"--dry_run", "--hparams=hidden_size=32"}), one);
}

// tensorflow/tensor2tensor#589.
TEST_F(TrainerCliTest, AnHParamThatIsSwitchedOffSaysSo) {
  Expect(Train({"--dry_run", "--hparams=learning_rate=50,dropout=0.5"}), 0,
         {"note: hparam learning_rate=50 has no effect",
          "use learning_rate_constant", "use layer_prepostprocess_dropout"});
  const RunResult run =
      Train({"--dry_run", "--hparams=learning_rate_constant=1"});
  EXPECT_EQ(run.output.find("has no effect"), std::string::npos) << run.output;
}

TEST_F(TrainerCliTest, ValuesAreCheckedBeforeAnyWork) {
  for (const char* bad :
       {"num_hidden_layers=-1", "learning_rate_constant=nan", "dropout=1",
        "learning_rate_decay_scheme=nom", "sampling_method=radnom",
        "num_heads=3", "norm_type=layr", "batch_size=0"}) {
    const std::string text = bad;
    for (const std::string& mode :
         {std::string("--dry_run"), "--output_dir=" + Out("bad_value")}) {
      Expect(Train({mode, "--hparams=" + text}), 2,
             {text.substr(0, text.find('='))});
    }
  }
  EXPECT_FALSE(Exists(Out("bad_value")));
}

TEST_F(TrainerCliTest, FilesThatCannotBeReadAreNamed) {
  ASSERT_EQ(RunProgram({"/bin/cp", "-r", Out("a"), Out("named")}).code, 0);
  const std::vector<std::string> more = {"--output_dir=" + Out("named"),
                                         "--train_steps=3"};
  const std::string hparams = JoinPath(Out("named"), "hparams.json");
  const std::string whole = ReadFile(hparams);
  for (const auto& [damaged, code] :
       {std::pair("", 3), std::pair("{\"hidden_size\": ", 3),
        std::pair("{\"hidden_size\": \"many\"}", 2)}) {
    WriteFileAtomically(hparams, damaged);
    Expect(Train(more), code, {hparams});
  }
  RemoveFile(hparams);
  MakeDirectories(hparams);
  Expect(Train(more), 5, {hparams, "Is a directory"});
  RemoveTree(hparams);
  WriteFileAtomically(hparams, whole);
  const std::string checkpoint = CheckpointPath(Out("named"), 2);
  RemoveFile(checkpoint);
  MakeDirectories(checkpoint);
  Expect(Train(more), 5, {checkpoint, "Is a directory"});
}

// What no memory holds is not a bug of ours: no 1 and no 134.
TEST_F(TrainerCliTest, OutOfMemory) {
  Expect(
      Train({"--output_dir=" + Out("memory"), "--hp_hidden_size=1000000000"}),
      5, {"t2t-trainer: out of memory: ", "hidden_size"});
  Expect(
      RunProgram({"/bin/sh", "-c",
                  "ulimit -v 1500000; exec t2t/bin/trainer/t2t-trainer "
                  "--problem=translate_numbers_ende --model=transformer "
                  "--hparams_set=transformer_tiny --hparams=hidden_size=4096 "
                  "--data_dir=" +
                      Out("data") + " --output_dir=" + Out("memory")}),
      5, {"t2t-trainer: ", "ulimit -v"});
}

TEST_F(TrainerCliTest, DevicesAndBackends) {
  const std::string out = "--output_dir=" + Out("device");
  Expect(Train({out, "--device=gpu"}), 2, {"--device=gpu"});
  Expect(Train({out, "--backend=nccl"}), 2, {"--backend=nccl", "gloo"});
  Expect(Train({out, "--profile=x", "--profile_steps=0"}), 2,
         {"--profile_steps=0"});
  Expect(Train({out, "--peak_tflops=-1"}), 2, {"--peak_tflops=-1"});
  if (!Exists("/dev/nvidiactl")) {
    Expect(Train({out, "--device=cuda"}), 4, {"--device=cuda", "GPU"});
    Expect(Train({out, "--worker_gpu=1"}), 4, {"--device=cuda"});
  }
  EXPECT_FALSE(Exists(Out("device")));
}

TEST_F(TrainerCliTest, FlagsOfT2TThatMeanNothingHere) {
  Expect(Train({"--output_dir=" + Out("flags"), "--dry_run", "--worker_gpu=0",
                "--use_tpu=false", "--ps_job=/job:ps", "--sync",
                "--hparams=num_model_shards=1"}),
         0, {"--ps_job has no effect"});
  const std::string out = "--output_dir=" + Out("flags");
  Expect(Train({out, "--ps_replicas=2"}), 2,
         {"--ps_replicas=2", "--worker_replicas=N"});
  Expect(Train({out, "--schedule=run_std_server"}), 2, {"--schedule=train"});
  Expect(Train({out, "--zero_stage=4"}), 2, {"--zero_stage=4"});
  Expect(Train({out, "--gradient_compression=fp8"}), 2, {"none or bf16"});
  Expect(Train({out, "--gradient_compression=bf16", "--deterministic"}), 2,
         {"one of them"});
}

}  // namespace
}  // namespace t2t
