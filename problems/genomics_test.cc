#include <gtest/gtest.h>
#include <hdf5/serial/hdf5.h>

#include <cmath>

#include "problems/archive_testing.h"

namespace t2t {
namespace {

class GenomicsTest : public ArchiveTest {
 protected:
  // Writes data sets as h5py does: [rows, ...] of bools (a byte each) or
  // floats.
  class Writer {
   public:
    explicit Writer(const std::string& path)
        : file_(
              H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)),
          bools_(H5Tenum_create(H5T_NATIVE_INT8)) {
      int8_t value = 0;
      H5Tenum_insert(bools_, "FALSE", &value);
      value = 1;
      H5Tenum_insert(bools_, "TRUE", &value);
    }
    ~Writer() {
      H5Tclose(bools_);
      H5Fclose(file_);
    }

    void Write(const std::string& name, const std::vector<hsize_t>& shape,
               const std::vector<int8_t>& values) {
      WriteAs(name, shape, bools_, values.data());
    }
    void Write(const std::string& name, const std::vector<hsize_t>& shape,
               const std::vector<float>& values) {
      WriteAs(name, shape, H5T_NATIVE_FLOAT, values.data());
    }

   private:
    void WriteAs(const std::string& name, const std::vector<hsize_t>& shape,
                 hid_t type, const void* values) {
      const hid_t space = H5Screate_simple(static_cast<int>(shape.size()),
                                           shape.data(), nullptr);
      const hid_t data = H5Dcreate2(file_, name.c_str(), type, space,
                                    H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      EXPECT_GE(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
      H5Dclose(data);
      H5Sclose(space);
    }

    hid_t file_;
    hid_t bools_;
  };

  // Rows of 256 bases: A, C, T, G, unknown, and again; outputs 0, 1, 2, ...
  static void AddSplit(const std::string& split, hsize_t rows, hsize_t outputs,
                       Writer* writer) {
    std::vector<int8_t> bases(rows * 256 * 4, 0);
    for (size_t i = 0; i < rows * 256; ++i) {
      if (i % 256 % 5 < 4) bases[i * 4 + i % 256 % 5] = 1;
    }
    std::vector<float> numbers(rows * outputs * 10);
    for (size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = static_cast<float>(i);
    }
    writer->Write(split + "_in", {rows, 256, 4}, bases);
    writer->Write(split + "_na", {rows, outputs},
                  std::vector<int8_t>(rows * outputs, 1));
    writer->Write(split + "_out", {rows, outputs, 10}, numbers);
  }
};

TEST_F(GenomicsTest, BasesBecomeChunksAndOutputsNumbers) {
  const std::string path = options_.tmp_dir + "/gm12878.h5";
  {
    Writer writer(path);
    AddSplit("train", 3, 2, &writer);
    AddSplit("valid", 1, 2, &writer);
    AddSplit("test", 2, 2, &writer);
  }
  const std::string name = "genomics_expression_gm12878";
  Generate(name);
  EXPECT_EQ(Examples(name).size(), 3u);
  EXPECT_EQ(Examples(name, DataSplit::kTest).size(), 2u);
  const Example dev = Examples(name, DataSplit::kDev).at(0);
  EXPECT_EQ(dev.Ints("targets_shape"), (std::vector<int64_t>{2, 10}));
  EXPECT_EQ(dev.Floats("targets_mask"), (std::vector<float>{1, 1}));
  EXPECT_EQ(dev.Ints("inputs").size(), 65u);  // with EOS
  const ProblemInfo info = MakeProblem(name)->Info(options_.data_dir);
  const TextEncoder& encoder = *info.features.at("inputs").encoder;
  EXPECT_EQ(encoder.vocab_size(), 782);
  const std::string text = TextOf(dev, "inputs", encoder);
  EXPECT_EQ(text.substr(0, 11), "ACTGNACTGNA");
  EXPECT_EQ(text.size(), 256u);
  Example made = dev;
  EXPECT_TRUE(MakeProblem(name)->Preprocess(&made, Mode::kTrain, HParams()));
  EXPECT_EQ(made.features.size(), 2u);
  EXPECT_EQ(made.Ints("inputs").size(), 64u);
  EXPECT_EQ(made.Floats("targets").size(), 20u);
  EXPECT_EQ(made.Floats("targets")[19], 19);
  EXPECT_EQ(WrongLengths(*MakeProblem(name), options_.data_dir, HParams()), "");
}

// T2T's DNAEncoder: tuples of bases in their order, '0' (nothing) the first.
TEST_F(GenomicsTest, IdsAreT2Ts) {
  const auto encoder = MakeProblem("genomics_expression_cage10")
                           ->features.at("inputs")
                           .vocabulary.load("");
  // A000, A then A, C, G, N, T: AA00 and AAA0 come before AAAA.
  EXPECT_EQ(encoder->Encode("A"), std::vector<int64_t>{2});
  EXPECT_EQ(encoder->Encode("AA"), std::vector<int64_t>{3});
  EXPECT_EQ(encoder->Encode("AAA"), std::vector<int64_t>{4});
  EXPECT_EQ(encoder->Encode("AAAAAAAC"), (std::vector<int64_t>{5, 6}));
  EXPECT_EQ(encoder->Encode("TTTT"), std::vector<int64_t>{781});
  EXPECT_EQ(encoder->Decode({5, 3, 1}, true), "AAAAAA");
  EXPECT_THROW(encoder->Encode("AXAA"), Error);
}

TEST_F(GenomicsTest, NamesWhatIsWrong) {
  const std::string name = "genomics_expression_l262k";
  const std::string path = options_.tmp_dir + "/l262k_w128.h5";
  options_.overwrite = true;
  const auto fails = [&](const std::string& part) {
    const auto [code, message] = ErrorOf([&] { Generate(name); });
    EXPECT_EQ(code, ExitCode::kBadData);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  {
    Writer writer(path);
    AddSplit("train", 1, 3, &writer);  // of 256 bases are 2
  }
  fails("l262k_w128.h5, example 1 of train: its data sets train_*");
  {
    Writer writer(path);
    AddSplit("train", 1, 2, &writer);
  }
  fails("l262k_w128.h5 has no 'valid_in'");
  Put("l262k_w128.h5", ReadFile(path).substr(0, 900));
  fails("l262k_w128.h5 can't be read");
}

}  // namespace
}  // namespace t2t
