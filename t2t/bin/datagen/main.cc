#include <cstdio>
#include <string>
#include <vector>

#include "t2t/base/error.h"
#include "t2t/base/flags.h"
#include "t2t/base/fs.h"
#include "t2t/base/log.h"
#include "t2t/base/process_end.h"
#include "t2t/base/strings.h"
#include "t2t/bin/common/names.h"
#include "t2t/bin/common/registry_view.h"
#include "t2t/bin/common/t2t_flags.h"
#include "t2t/bin/datagen/select_problems.h"
#include "t2t/problem/datagen.h"
#include "t2t/problem/problem.h"

namespace t2t {
namespace {

struct DatagenFlags {
  std::string problem;
  std::string exclude_problems;
  std::string data_dir;
  std::string tmp_dir = "/tmp/t2t_datagen";
  std::string train_src, train_tgt, dev_src, dev_tgt, vocab;
  std::string accept_checksum;
  int64_t num_shards = 0;
  int64_t max_cases = 0;
  int64_t random_seed = 429459;
  int64_t task_id = -1;
  int64_t task_id_start = -1;
  int64_t task_id_end = -1;
  int64_t num_concurrent_processes = 0;
  bool overwrite = false;
  bool only_list = false;
  std::string registry_help = "false";
  bool json = false;
};

void Declare(DatagenFlags* f, Flags* flags) {
  constexpr double kMost = 1'000'000;
  flags->Add("problem", &f->problem,
             "the problem to make data for; several with commas, or a pattern "
             "('translate_*')",
             Flags::Kind::kList);
  flags->Add("data_dir", &f->data_dir, "where vocabulary and shards go");
  flags->Add("tmp_dir", &f->tmp_dir,
             "where the raw text is, or is downloaded to");
  flags->Add("exclude_problems", &f->exclude_problems,
             "texts, with commas; problems with one in the name are left out",
             Flags::Kind::kList);
  flags->Add("train_src", &f->train_src,
             "text2text_tmpdir, text2class_tmpdir: training sources, a line "
             "each; as they are or compressed by gzip or zstd, out of a file, "
             "a pipe or (-) the standard input");
  flags->Add("train_tgt", &f->train_tgt,
             "the same: training targets or labels");
  flags->Add("dev_src", &f->dev_src, "the same: sources to evaluate on");
  flags->Add("dev_tgt", &f->dev_tgt, "the same: targets to evaluate on");
  flags->Add("vocab", &f->vocab,
             "text problems: a vocabulary to take instead of building one "
             "(subwords, tokens, or a SentencePiece .model)");
  flags->Add("accept_checksum", &f->accept_checksum,
             "SHA-256 of a corpus in --tmp_dir, or of what comes from its "
             "address, that is to be taken though it is not the one that was "
             "published; several with commas",
             Flags::Kind::kList);
  flags->Add("num_shards", &f->num_shards,
             "training shards; 0: as many as the problem says",
             Range::Between(0, kMost));
  flags->Add("max_cases", &f->max_cases,
             "examples of each split at most; 0: all", Range::AtLeast(0));
  flags->Add("random_seed", &f->random_seed,
             "the same seed makes the same data", Range::AnyInt());
  flags->Add("num_concurrent_processes", &f->num_concurrent_processes,
             "threads; 0: one a core", Range::Threads());
  flags->Add("task_id", &f->task_id,
             "make this one shard only (training shards first, then dev, then "
             "test); -1: all",
             Range::Between(-1, kMost));
  flags->Add("task_id_start", &f->task_id_start,
             "make the shards from this one on", Range::Between(-1, kMost));
  flags->Add("task_id_end", &f->task_id_end, "and before this one",
             Range::Between(-1, kMost));
  flags->Add("overwrite", &f->overwrite, "make again what is already there");
  flags->Add("only_list", &f->only_list,
             "print the problems that would be made");
  flags->Add("registry_help", &f->registry_help,
             "print all problems, or those that a filter names "
             "(--registry_help=problems:translate*)",
             Flags::Kind::kOptional);
  flags->Add("json", &f->json, "with --registry_help: as JSON");
  for (const char* const name :
       {"env_problem_max_env_steps", "env_problem_batch_size"}) {
    flags->AddIgnored(name, "there are no environment problems");
  }
  flags->AddAlias("problems", "problem");
  AddGeneratorT2TFlags(flags);
}

int ToInt(const std::string& flag, int64_t value, int64_t least) {
  if (value < least || value > 1000000) {
    throw UsageError("--" + flag + "=" + std::to_string(value),
                     std::to_string(least) + " to 1000000");
  }
  return static_cast<int>(value);
}

GenerateOptions MakeOptions(const DatagenFlags& f) {
  GenerateOptions options;
  options.data_dir = ExpandUser(f.data_dir);
  options.tmp_dir = ExpandUser(f.tmp_dir);
  options.seed = f.random_seed;
  options.threads =
      ToInt("num_concurrent_processes", f.num_concurrent_processes, 0);
  options.num_shards = ToInt("num_shards", f.num_shards, 0);
  options.task_id = ToInt("task_id", f.task_id, -1);
  options.max_cases = f.max_cases;
  options.overwrite = f.overwrite;
  options.train_src = ExpandUser(f.train_src);
  options.train_tgt = ExpandUser(f.train_tgt);
  options.dev_src = ExpandUser(f.dev_src);
  options.dev_tgt = ExpandUser(f.dev_tgt);
  options.vocab = ExpandUser(f.vocab);
  for (const std::string& sum : Split(f.accept_checksum, ',')) {
    if (!Trim(sum).empty()) options.accepted_sums.push_back(Lower(Trim(sum)));
  }
  return options;
}

void CheckFiles(const Problem& problem, const GenerateOptions& options) {
  const bool any_file = !options.train_src.empty() ||
                        !options.train_tgt.empty() ||
                        !options.dev_src.empty() || !options.dev_tgt.empty();
  if (any_file && !problem.takes_text_files) {
    throw UsageError("the problem " + problem.name +
                         " takes no --train_src, --train_tgt, --dev_src or "
                         "--dev_tgt",
                     "", "use --problem=text2text_tmpdir for your own files");
  }
  if (!options.vocab.empty() && !problem.TakesVocabulary()) {
    throw UsageError("the problem " + problem.name + " takes no --vocab");
  }
}

bool PrintsRegistry(const DatagenFlags& f) {
  if (f.registry_help == "false") {
    if (!f.json) return false;
    throw UsageError("--json alone", "--registry_help too",
                     "add it, or leave --json out");
  }
  const std::string filter =
      f.registry_help == "true" ? "problems" : f.registry_help;
  std::fputs(RegistryHelp(filter, f.json).c_str(), stdout);
  return true;
}

int Body(int argc, char** argv) {
  DatagenFlags f;
  NameFlags name_flags;
  Flags flags(
      "t2t-datagen makes vocabulary and training, dev and test shards of a "
      "problem.",
      "t2t-datagen --problem=translate_numbers_ende --data_dir=~/t2t_data");
  Declare(&f, &flags);
  name_flags.AddTo(&flags);
  const std::vector<std::string> rest = flags.Parse(argc, argv);
  if (!rest.empty()) {
    throw UsageError("'" + rest[0] + "' is no flag", "--name=value");
  }
  name_flags.Register();
  if (PrintsRegistry(f)) return 0;
  const std::vector<std::string> names =
      SelectProblems(f.problem, f.exclude_problems);
  if (f.only_list) {
    for (const std::string& name : names) std::printf("%s\n", name.c_str());
    return 0;
  }
  if (f.data_dir.empty()) {
    throw UsageError("--data_dir is missing",
                     "the folder that vocabulary and shards go into",
                     "--data_dir=~/t2t_data");
  }
  const bool several = flags.WasGiven("task_id_start");
  if (several != flags.WasGiven("task_id_end") ||
      (several && flags.WasGiven("task_id"))) {
    throw UsageError(
        "--task_id_start and --task_id_end go together, without "
        "--task_id");
  }
  OutliveReaders("");
  GenerateOptions options = MakeOptions(f);
  int end = options.task_id + 1;
  if (several) {
    options.task_id = ToInt("task_id_start", f.task_id_start, 0);
    end = ToInt("task_id_end", f.task_id_end, options.task_id + 1);
  }
  const int start = options.task_id;
  for (const std::string& name : names) {
    CheckFiles(*MakeProblem(name), options);
  }
  for (const std::string& name : names) {
    const double begin = NowSeconds();
    const auto problem = MakeProblem(name);
    for (options.task_id = start; options.task_id < end; ++options.task_id) {
      GenerateData(*problem, options);
    }
    Log(Format("%s: done in %.1f s", name.c_str(), NowSeconds() - begin));
  }
  return 0;
}

}  // namespace
}  // namespace t2t

int main(int argc, char** argv) { return t2t::RunMain(argc, argv, t2t::Body); }
