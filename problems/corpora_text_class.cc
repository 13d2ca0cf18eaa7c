// Texts with classes, questions and their answers: T2T's cola.py, mrpc.py,
// multinli.py, qnli.py, quora_qpairs.py, rte.py, scitail.py, sst_binary.py,
// stanford_nli.py, wnli.py, imdb.py, yelp_*.py, subject_verb_agreement.py,
// squad.py and babi_qa.py name them.

#include "problems/corpus_rows.h"

namespace t2t {
namespace {

constexpr CorpusReader kByKind = CorpusReader::kByKind;

// GLUE's tasks (Wang et al. 2018, arXiv:1804.07461), as they were given out.
std::string GlueAddress(const std::string& file, const std::string& token) {
  return "https://firebasestorage.googleapis.com/v0/b/"
         "mtl-sentence-representations.appspot.com/o/data%2F" +
         file + "?alt=media&token=" + token;
}

// <task>/train.tsv and a development set.
void AddGlue(const std::string& task, const std::string& name,
             const std::string& token, std::vector<Corpus>* rows,
             const std::string& development = "dev.tsv") {
  const std::string archive = task + ".zip";
  for (const bool train : {true, false}) {
    rows->push_back(InArchive(
        name + (train ? "_train" : "_dev"), GlueAddress(archive, token),
        archive, {{task + "/" + (train ? "train.tsv" : development)}},
        kByKind));
    // Where GLUE's own site has the same today. (It has QNLI and QQP in other
    // versions.)
    if (task == "QNLI" || task == "QQP") continue;
    rows->back().addresses.push_back(
        "https://dl.fbaipublicfiles.com/glue/data/" + archive);
  }
}

// A training and a test file of one archive.
void AddTwo(const std::string& name, const std::string& address,
            const std::string& archive, const std::string& train,
            const std::string& dev, std::vector<Corpus>* rows) {
  rows->push_back(
      InArchive(name + "_train", address, archive, {{train}}, kByKind));
  rows->push_back(InArchive(name + "_dev", address, archive, {{dev}}, kByKind));
}

Corpus OneFile(const std::string& name, const std::string& file,
               const std::string& address) {
  Corpus corpus;
  corpus.name = name;
  corpus.files = {{file, "", address}};
  corpus.reader = kByKind;
  return corpus;
}

// Reviews, a file each.
Corpus Imdb(const std::string& part, const std::string& label) {
  return InArchive(
      "imdb_" + part + "_" + label,
      "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
      "aclImdb_v1.tar.gz", {{"aclImdb/" + part + "/" + label + "/*.txt"}},
      kByKind);
}

// The twenty tasks of bAbI, with 1,000 or 10,000 questions each.
Corpus Babi(const std::string& folder, const std::string& part) {
  const std::string stem = "tasks_1-20_v1-2";
  std::vector<CorpusFile> files;
  for (const char* const task : {"qa1_single-supporting-fact",
                                 "qa2_two-supporting-facts",
                                 "qa3_three-supporting-facts",
                                 "qa4_two-arg-relations",
                                 "qa5_three-arg-relations",
                                 "qa6_yes-no-questions",
                                 "qa7_counting",
                                 "qa8_lists-sets",
                                 "qa9_simple-negation",
                                 "qa10_indefinite-knowledge",
                                 "qa11_basic-coreference",
                                 "qa12_conjunction",
                                 "qa13_compound-coreference",
                                 "qa14_time-reasoning",
                                 "qa15_basic-deduction",
                                 "qa16_basic-induction",
                                 "qa17_positional-reasoning",
                                 "qa18_size-reasoning",
                                 "qa19_path-finding",
                                 "qa20_agents-motivations"}) {
    files.push_back({stem + "/" + folder + "/" + task + "_" + part + ".txt"});
  }
  return InArchive(
      "babi_" + folder + "_" + part,
      "http://www.thespermwhale.com/jaseweston/babi/" + stem + ".tar.gz",
      stem + ".tar.gz", std::move(files), kByKind);
}

}  // namespace

std::vector<Corpus> TextClassCorpora() {
  const std::string senteval =
      "https://s3.amazonaws.com/senteval/senteval_data/";
  const std::string yelp = "https://s3.amazonaws.com/fast-ai-nlp/yelp_review_";
  const std::string squad =
      "https://rajpurkar.github.io/SQuAD-explorer/dataset/";
  std::vector<Corpus> rows = {
      OneFile("mrpc_train", "MRPC/msr_paraphrase_train.txt",
              senteval + "msr_paraphrase_train.txt"),
      OneFile("mrpc_test", "MRPC/msr_paraphrase_test.txt",
              senteval + "msr_paraphrase_test.txt"),
      OneFile("mrpc_dev_ids", "MRPC/dev_ids.tsv",
              GlueAddress("mrpc_dev_ids.tsv",
                          "ec5c0836-31d5-48f4-b431-7480817f1adc")),
      OneFile("squad_train", "train-v1.1.json", squad + "train-v1.1.json"),
      OneFile("squad_dev", "dev-v1.1.json", squad + "dev-v1.1.json"),
      Imdb("train", "pos"),
      Imdb("train", "neg"),
      Imdb("test", "pos"),
      Imdb("test", "neg"),
      Babi("en", "train"),
      Babi("en", "test"),
      Babi("en-10k", "train"),
      Babi("en-10k", "test")};
  rows.push_back(OneFile("sva", "agr_50_mostcommon_10K.tsv",
                         "http://tallinzen.net/media/rnn_agreement/"
                         "agr_50_mostcommon_10K.tsv.gz"));
  rows.back().published_suffix = ".gz";
  AddGlue("CoLA", "cola", "46d5e637-3411-4188-bc44-5809b5bfb5f4", &rows);
  AddGlue("MNLI", "mnli", "50329ea1-e339-40e2-809c-10c40afff3ce", &rows,
          "dev_matched.tsv");
  AddGlue("QNLI", "qnli", "c24cad61-f2df-4f04-9ab6-aa576fa829d0", &rows);
  AddGlue("QQP", "qqp", "700c6acf-160d-4d89-81d1-de4191d02cb5", &rows);
  AddGlue("RTE", "rte", "5efa7e85-a0bb-4f19-8ea2-9e1840f077fb", &rows);
  AddGlue("SST-2", "sst2", "aabc5f6b-e466-44a2-b9b4-cf6337f84ac8", &rows);
  AddGlue("WNLI", "wnli", "068ad0a0-ded7-4bd7-99a5-5e00222e0faf", &rows);
  AddTwo("snli", "https://nlp.stanford.edu/projects/snli/snli_1.0.zip",
         "snli_1.0.zip", "snli_1.0/snli_1.0_train.txt",
         "snli_1.0/snli_1.0_dev.txt", &rows);
  AddTwo("scitail",
         "https://s3.amazonaws.com/data.allenai.org/downloads/"
         "SciTailV1.1.zip",
         "SciTailV1.1.zip", "SciTailV1.1/tsv_format/scitail_1.0_train.tsv",
         "SciTailV1.1/tsv_format/scitail_1.0_dev.tsv", &rows);
  for (const std::string kind : {"full", "polarity"}) {
    const std::string folder = "yelp_review_" + kind + "_csv";
    AddTwo("yelp_" + kind, yelp + kind + "_csv.tgz", folder + ".tgz",
           folder + "/train.csv", folder + "/test.csv", &rows);
  }
  return rows;
}

}  // namespace t2t
