// Looks at the machine code of the kernels' variants: what a compiler made of
// their loops can't be seen in their results.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "t2t/base/simd_target.h"
#include "t2t/ops/attention_kernels.h"
#include "t2t/ops/dropout_kernels.h"
#include "t2t/ops/lstm_kernels.h"
#include "t2t/ops/optimizer_kernels.h"
#include "t2t/ops/row_kernels.h"

namespace t2t {
namespace {

// The packed instruction that a kernel's loops must have.
enum class Needs {
  kMultiplyAdd,  // in one where the machine has it
  kMultiply,     // without an addition, or the two apart for the same bits
  kMax,
};

// Every kernel that for_each_simd_target.inc compiles.
const std::map<std::string, Needs>& Kernels() {
  static const auto* const kernels = new std::map<std::string, Needs>{
      {"AttentionForwardKernel", Needs::kMultiplyAdd},
      {"AttentionBackwardKernel", Needs::kMultiplyAdd},
      {"DropoutKernel", Needs::kMultiply},
      {"DropoutAddKernel", Needs::kMultiplyAdd},
      {"ReluDropoutKernel", Needs::kMultiply},
      {"ReluDropoutGradientKernel", Needs::kMultiply},
      {"LstmForwardKernel", Needs::kMultiplyAdd},
      {"LstmBackwardKernel", Needs::kMultiplyAdd},
      {"RowExpSumsKernel", Needs::kMultiplyAdd},
      {"RowExpSumKernel", Needs::kMultiplyAdd},
      {"ScaleRowKernel", Needs::kMultiplyAdd},
      {"ScaleRowAndAddKernel", Needs::kMultiplyAdd},
      {"ScaledRowKernel", Needs::kMultiply},
      {"RowMaxKernel", Needs::kMax},
      {"RowLargestKernel", Needs::kMax},
      // The optimizers' are compiled with -ffp-contract=off.
      {"SumOfSquares", Needs::kMultiply},
      {"AdamKernel", Needs::kMultiply},
      {"SgdKernel", Needs::kMultiply},
      {"MomentumKernel", Needs::kMultiply},
      {"AdagradKernel", Needs::kMultiply},
      {"RmsPropKernel", Needs::kMultiply},
      {"AdadeltaKernel", Needs::kMultiply},
      {"FtrlKernel", Needs::kMultiply},
      {"AdafactorSums", Needs::kMultiply},
      {"AdafactorScaledSquares", Needs::kMultiply},
      {"AdafactorUpdate", Needs::kMultiply},
      {"AdafactorUnfactoredSums", Needs::kMultiply},
      {"AdafactorUnfactoredUpdate", Needs::kMultiply},
      {"AverageKernel", Needs::kMultiply},
  };
  return *kernels;
}

// Instructions of a function.
struct Code {
  int64_t multiply_adds = 0;  // packed, in the target's registers, as the next
  int64_t multiplies = 0;
  int64_t maxima = 0;
  int64_t on_stack = 0;  // whole registers to or from it
};

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void Count(const std::string& line, const std::string& registers, Code* code) {
  if (!Has(line, registers)) return;
  const bool packed = Has(line, "ps ") || Has(line, "pd ");
  if (packed && (Has(line, "vfmadd") || Has(line, "vfmsub") ||
                 Has(line, "vfnmadd") || Has(line, "vfnmsub"))) {
    ++code->multiply_adds;
  } else if (packed && Has(line, "mulp")) {
    ++code->multiplies;
  } else if (packed && Has(line, "maxp")) {
    ++code->maxima;
  }
  if (Has(line, "mova") || Has(line, "movu")) {
    code->on_stack += Has(line, "(%rsp") || Has(line, "(%rbp");
  }
}

// By "avx2::RowMaxKernel" and the like: the code of this very program.
std::map<std::string, Code> Disassemble() {
  const std::map<std::string, std::string> registers = {
      {"avx512", "%zmm"}, {"avx2", "%ymm"}, {"baseline", "%xmm"}};
  std::map<std::string, Code> all;
  Code* current = nullptr;
  std::string width;
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe").string();
  std::FILE* const pipe = ::popen(
      ("objdump -d -C --no-show-raw-insn '" + program + "'").c_str(), "r");
  if (pipe == nullptr) return all;
  char buffer[4096];
  while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) {
    const std::string line = buffer;
    const size_t name = line.find(" <t2t::");
    if (name == std::string::npos || line.front() == ' ') {
      if (line == "\n") current = nullptr;
      if (current != nullptr) Count(line, width, current);
      continue;
    }
    const size_t begin = name + std::string(" <t2t::").size();
    const std::string symbol =
        line.substr(begin, line.find('(', begin) - begin);
    const auto found = registers.find(symbol.substr(0, symbol.find("::")));
    if (found == registers.end()) continue;
    current = &all[symbol];
    width = found->second;
  }
  EXPECT_EQ(::pclose(pipe), 0) << "objdump, of binutils as the linker, failed";
  return all;
}

bool Fits(const Code& code, Needs needs, bool has_multiply_add) {
  switch (needs) {
    case Needs::kMultiplyAdd:
      return has_multiply_add ? code.multiply_adds > 0 : code.multiplies > 0;
    case Needs::kMultiply:
      return code.multiplies > 0;
    case Needs::kMax:
      return code.maxima > 0;
  }
  return false;
}

TEST(KernelsCodeTest, EveryVariantOfEveryKernelIsVectorised) {
#if !defined(T2T_X86_SIMD_TARGETS) || defined(__SANITIZE_ADDRESS__) || \
    defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "another machine, compiler or instrumented code";
#endif
  const std::map<std::string, Code> all = Disassemble();
  for (const auto& [kernel, needs] : Kernels()) {
    for (const char* const target : {"baseline", "avx2", "avx512"}) {
      const std::string name = std::string(target) + "::" + kernel;
      const auto found = all.find(name);
      ASSERT_NE(found, all.end()) << name << " is not in this program";
      const Code& code = found->second;
      EXPECT_TRUE(Fits(code, needs, target != std::string("baseline")))
          << name << " has " << code.multiply_adds << " packed multiply-adds, "
          << code.multiplies << " multiplications and " << code.maxima
          << " maxima";
      // Registers that go through memory all the time: GCC does so where a
      // vector is wider than the machine's.
      if (needs != Needs::kMultiplyAdd) continue;
      EXPECT_LE(code.on_stack, 8 + (code.multiply_adds + code.multiplies) / 4)
          << name << " keeps its sums on the stack";
    }
  }
}

// A kernel that is in no list above is not looked at.
TEST(KernelsCodeTest, EveryKernelIsListed) {
#if !defined(T2T_X86_SIMD_TARGETS)
  GTEST_SKIP() << "another machine or compiler";
#endif
  for (const auto& [name, code] : Disassemble()) {
    const std::string kernel = name.substr(name.find("::") + 2);
    if (Has(kernel, "(anonymous namespace)") || Has(kernel, "::")) continue;
    EXPECT_TRUE(Kernels().contains(kernel)) << kernel;
  }
}

// Keeps in this program what it does not call.
template <typename... F>
int64_t Keep(F... functions) {
  const void* volatile address = nullptr;
  int64_t count = 0;
  const auto keep = [&](const void* function) {
    address = function;
    count += address != nullptr;
  };
  (keep(reinterpret_cast<const void*>(functions)), ...);
  return count;
}

TEST(KernelsCodeTest, TheKernelsAreLinked) {
  const int64_t kept =
      Keep(&AttentionForward, &AttentionBackward, &DropoutElements,
           &ReluDropoutElements, &ReluDropoutGradient, &RowMax, &RowLogSumExp,
           &RowLargest, &ScaledRow, &ScaleRowAndAdd) +
      Keep(static_cast<RowSums (*)(float*, int64_t)>(&RowExpSums),
           static_cast<void (*)(float*, int64_t, float, float)>(&ScaleRow),
           static_cast<void (*)(float*, const float*, int64_t, float*, float*)>(
               &LstmForwardRow),
           static_cast<void (*)(const float*, const float*, const float*,
                                const float*, int64_t, float*, float*)>(
               &LstmBackwardRow)) +
      Keep(&SumOfSquares, &AdamKernel, &SgdKernel, &MomentumKernel,
           &AdagradKernel, &RmsPropKernel, &AdadeltaKernel, &FtrlKernel,
           &AdafactorSums, &AdafactorScaledSquares, &AdafactorUpdate,
           &AdafactorUnfactoredSums, &AdafactorUnfactoredUpdate,
           &AverageKernel);
  EXPECT_EQ(kept, 28);
}

}  // namespace
}  // namespace t2t
