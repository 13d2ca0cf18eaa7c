#ifndef T2T_OPTIM_ADAFACTOR_H_
#define T2T_OPTIM_ADAFACTOR_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "t2t/optim/optimizer.h"

namespace t2t {

// Of a slot of Adafactor's state of a parameter with so many dimensions: the
// one that its means are taken over, and that it lacks. nullopt: none, or a
// slot of another kind.
std::optional<int64_t> AdafactorMeansOver(const std::string& slot,
                                          int64_t dims);

// The first row of each of the matrices that T2T would make of a parameter of
// so many rows, and the number of rows: with symbol_modality_num_shards=n, n of
// a table of symbols, one otherwise.
std::vector<int64_t> T2TRowBounds(const HParams& hparams,
                                  const std::string& name, int64_t rows);

// T2T's Adafactor (arxiv.org/abs/1804.04235): a matrix has a mean square for
// each row and each column instead of one for each number. What T2T cuts into
// several variables (the tables of symbols) is a matrix each here, too, and is
// clipped and scaled by itself. Three passes over all the parameters, cut into
// blocks of rows.
class Adafactor : public Optimizer {
 public:
  Adafactor(const HParams& hparams, std::vector<NamedTensor> parameters);

  Sharing sharing() const override { return Sharing::kParameters; }

 private:
  // What T2T has as one variable: a parameter, or some rows of it.
  struct Variable {
    size_t parameter;
    int64_t size;  // of the whole, where it is split
  };
  // One matrix, or the numbers of one variable that is not factored.
  struct Matrix {
    size_t parameter;
    size_t variable;
    int64_t begin;  // within the parameter
    int64_t rows;
    int64_t columns;  // 1 where not factored
    bool factored;
    // Of the whole, where the parameter is split.
    int64_t whole_rows;
    int64_t whole_columns;
    float* vr;  // rows
    float* vc;  // columns
    float* v;   // not factored
    float* m;   // null without momentum
    std::vector<float> row_factors;
    std::vector<float> column_factors;
  };
  // Rows of a matrix that one thread does at a time.
  struct Block {
    size_t matrix;
    int64_t row;
    int64_t rows;
    size_t column_sums;  // where its sums stand
    double parameter_squares;
    double scaled_squares;
  };

  void Update(double learning_rate, int64_t step) override;
  void OnShards() override { MakeMatrices(); }
  // Where a parameter's state lies; null: what is not kept.
  struct MatrixState {
    float* m = nullptr;
    float* v = nullptr;
    float* vr = nullptr;
    float* vc = nullptr;
  };
  void MakeMatrices();
  void AddMatrices(size_t parameter);
  // Of a parameter of two dimensions: the rows that are here, out of those of
  // each of T2T's variables.
  void AddRows(const MatrixState& state, Matrix matrix);
  void AddMatrix(const MatrixState& state, int64_t begin, int64_t rows,
                 int64_t columns, Matrix matrix);
  // The numbers of variables: of those that are split, their sums over the
  // ranks.
  void SumOfVariables(std::vector<double>* numbers) const;
  void ForBlocks(const std::function<void(Block*, Matrix*)>& body);
  // The blocks' sums of columns, put together; and what the other parts of
  // split matrices add to the sums of rows and columns.
  void SumColumns();
  void SumSplitMatrices();
  // An update, in the order of these: the blocks' sums of squares; from them
  // the mean squares and what they divide by; the squares of what is then
  // scaled; each variable's rate.
  void SumRowsAndColumns(double decay);
  void SumScaledSquares();
  std::vector<float> Rates(double learning_rate) const;
  void UpdateMeans(double decay);
  // The dimension, from the end (1: the columns), along which a matrix of a
  // split parameter is split; 0: none of these two.
  int64_t SplitSide(const Matrix& matrix) const;
  RowsTerms TermsOf(const Block& block, const Matrix& matrix) const;

  const double beta1_;
  const double beta2_;
  const double exponent_;
  const double clipping_;
  const bool by_parameter_scale_;
  bool adam_decay_ = false;
  bool factored_ = false;
  std::vector<Variable> variables_;
  std::vector<Matrix> matrices_;
  std::vector<Block> blocks_;
  std::vector<float> column_sums_;
};

}  // namespace t2t

#endif  // T2T_OPTIM_ADAFACTOR_H_
