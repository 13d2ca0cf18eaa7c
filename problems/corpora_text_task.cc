// Text for summaries, dialogues, other styles, programs, parsing and entities:
// T2T's cnn_dailymail.py, dialog_*.py, style_transfer.py,
// paraphrase_ms_coco.py, conll_ner.py, wsj_parsing.py, ice_parsing.py,
// desc2code.py, function_docstring.py, program_search.py, algorithmic_math_*.py
// and seq2edits.py name it.

#include "problems/corpus_rows.h"
#include "t2t/base/strings.h"

namespace t2t {
namespace {

constexpr CorpusReader kByKind = CorpusReader::kByKind;

// A file of Google Drive; T2T's address of it gives a page with a button where
// the file is large.
std::string Drive(const std::string& id) {
  return "https://drive.usercontent.google.com/download?id=" + id +
         "&export=download&confirm=t";
}

Corpus OneFile(const std::string& name, const std::string& file,
               const std::string& address) {
  Corpus corpus;
  corpus.name = name;
  corpus.files = {{file, "", address}};
  corpus.reader = kByKind;
  return corpus;
}

// News with their highlights, a file each (Hermann et al. 2015), and lists of
// the addresses that are for training, for dev and for test.
void AddNews(std::vector<Corpus>* rows) {
  rows->push_back(
      InArchive("cnn_stories", Drive("0BwmD_VLjROrfTHk4NFg2SndKcjQ"),
                "cnn_stories.tgz", {{"cnn/stories/*.story"}}, kByKind));
  rows->push_back(InArchive(
      "dailymail_stories", Drive("0BwmD_VLjROrfM1BxdkxVaTY2bWs"),
      "dailymail_stories.tgz", {{"dailymail/stories/*.story"}}, kByKind));
  for (const std::string set : {"train", "val", "test"}) {
    const std::string file = "all_" + set + ".txt";
    rows->push_back(
        OneFile("news_" + set, file,
                "https://raw.githubusercontent.com/abisee/cnn-dailymail/"
                "master/url_lists/" +
                    file));
  }
}

void AddDialogues(std::vector<Corpus>* rows) {
  const std::string cornell = "cornell movie-dialogs corpus/";
  rows->push_back(InArchive(
      "cornell",
      "https://www.cs.cornell.edu/~cristian/data/"
      "cornell_movie_dialogs_corpus.zip",
      "cornell_movie_dialogs_corpus.zip",
      {{cornell + "movie_lines.txt"}, {cornell + "movie_conversations.txt"}},
      kByKind));
  rows->push_back(
      InArchive("dailydialog", "http://yanran.li/files/ijcnlp_dailydialog.zip",
                "ijcnlp_dailydialog.zip",
                {{"ijcnlp_dailydialog/dialogues_text.txt"}}, kByKind));
  rows->push_back(InArchive(
      "personachat", "https://parl.ai/downloads/convai2/convai2_fix_723.tgz",
      "convai2_fix_723.tgz",
      {{"train_none_original_no_cands.txt"},
       {"valid_none_original_no_cands.txt"}},
      kByKind));
  for (const std::string year :
       {"2009", "2011", "2012", "2013", "2016", "2018"}) {
    const std::string version = year == "2009" ? "" : year;
    // (T2T calls it en.tar.gz, whatever the year.)
    rows->push_back(InArchive(
        "opensubtitles" + year,
        "https://opus.nlpl.eu/download.php?f=OpenSubtitles" + version +
            "/en.tar.gz",
        "opensubtitles" + year + ".en.tar.gz", {{"en/*/*/*.xml*"}}, kByKind));
    rows->back().unpack_into = "opensubtitles" + year;
  }
}

void AddPrograms(std::vector<Corpus>* rows) {
  const std::string dropbox = "https://www.dropbox.com/s/";
  const std::string address[3] = {"qhun6kml9yb2ui9", "aajkw83j2ps8bzx",
                                  "f1x9ybkjpf371cp"};
  const std::string set[3] = {"train", "dev", "test"};
  for (int i = 0; i < 3; ++i) {
    const std::string file = "metaset3." + set[i] + ".jsonl";
    rows->push_back(OneFile("algolisp_" + set[i], file,
                            dropbox + address[i] + "/" + file + ".gz?dl=1"));
    rows->back().published_suffix = ".gz";
  }
  Corpus functions;
  functions.name = "function_docstring";
  functions.home = "gs://kubeflow-examples/t2t-code-search/raw_data";
  functions.addresses = {
      "https://storage.googleapis.com/kubeflow-examples/t2t-code-search/"
      "raw_data"};
  for (int i = 0; i < 100; ++i) {
    functions.files.push_back({Format("func-doc-pairs-%05d-of-00100.csv", i)});
  }
  functions.reader = kByKind;
  rows->push_back(std::move(functions));
}

}  // namespace

// A table: as long as it has rows.
std::vector<Corpus> TextTaskCorpora() {
  const std::string style = "https://github.com/tlatkowski/st/raw/master/";
  const std::string conll =
      "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/"
      "corpora/conll2002.zip";
  const std::string mathematics = "mathematics_dataset-v1.0.tar.gz";
  const std::string mathematics_address =
      "https://storage.googleapis.com/mathematics-dataset/" + mathematics;
  const std::string coco = "captions_train-val2014.zip";
  const std::string coco_address =
      "https://msvocds.blob.core.windows.net/annotations-1-0-3/" + coco;
  std::vector<Corpus> rows = {
      InArchive("shakespeare_train", style + "shakespeare.train.tgz",
                "shakespeare.train.tgz",
                {{"train.original"}, {"train.modern"}}),
      InArchive("shakespeare_dev", style + "shakespeare.dev.tgz",
                "shakespeare.dev.tgz", {{"dev.original"}, {"dev.modern"}}),
      InArchive("modern_train", style + "shakespeare.train.tgz",
                "shakespeare.train.tgz",
                {{"train.modern"}, {"train.original"}}),
      InArchive("modern_dev", style + "shakespeare.dev.tgz",
                "shakespeare.dev.tgz", {{"dev.modern"}, {"dev.original"}}),
      InArchive("coco_captions_train", coco_address, coco,
                {{"annotations/captions_train2014.json"}}, kByKind),
      InArchive("coco_captions_dev", coco_address, coco,
                {{"annotations/captions_val2014.json"}}, kByKind),
      InArchive("conll2002_es_train", conll, "conll2002.zip",
                {{"conll2002/esp.train"}}, kByKind),
      InArchive("conll2002_es_dev", conll, "conll2002.zip",
                {{"conll2002/esp.testa"}, {"conll2002/esp.testb"}}, kByKind),
      InArchive("conll2002_nl_train", conll, "conll2002.zip",
                {{"conll2002/ned.train"}}, kByKind),
      InArchive("conll2002_nl_dev", conll, "conll2002.zip",
                {{"conll2002/ned.testa"}, {"conll2002/ned.testb"}}, kByKind),
      InArchive("description2code_python",
                Drive("0Bz3fihKG133ceWNFQTQ5S0xhZUk"),
                "description2code_current.zip",
                {{"description2code_current/**/description/description.txt"},
                 {"description2code_current/**/solutions_python/*.txt"}},
                kByKind),
      InArchive("description2code_cpp", Drive("0Bz3fihKG133ceWNFQTQ5S0xhZUk"),
                "description2code_current.zip",
                {{"description2code_current/**/description/description.txt"},
                 {"description2code_current/**/solutions_c++/*.txt"}},
                kByKind),
      ByHand("wsj_trees_train", "the Penn Treebank, a tree a line", "",
             {{"wsjTrain.trees"}}, kByKind),
      ByHand("wsj_trees_dev", "the Penn Treebank, a tree a line", "",
             {{"wsjEval.trees"}}, kByKind),
      ByHand("icelandic_train",
             "pairs of a text and its parse, with a tab between them", "",
             {{"parsing_train.pairs"}}, kByKind),
      ByHand("icelandic_dev",
             "pairs of a text and its parse, with a tab between them", "",
             {{"parsing_dev.pairs"}}, kByKind),
      InArchive("two_variables",
                "https://art.wangperawong.com/"
                "mathematical_language_understanding_train.tar.gz",
                "mathematical_language_understanding_train.tar.gz",
                {{"symbolic_math_train.txt"}}, kByKind),
      InArchive(
          "deepmind_mathematics_train", mathematics_address, mathematics,
          {{"train-easy/*.txt"}, {"train-medium/*.txt"}, {"train-hard/*.txt"}},
          kByKind),
      InArchive("deepmind_mathematics_dev", mathematics_address, mathematics,
                {{"interpolate/*.txt"}, {"extrapolate/*.txt"}}, kByKind),
  };
  AddNews(&rows);
  AddDialogues(&rows);
  AddPrograms(&rows);
  return rows;
}

}  // namespace t2t
