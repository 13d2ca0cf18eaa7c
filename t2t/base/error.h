#ifndef T2T_BASE_ERROR_H_
#define T2T_BASE_ERROR_H_

#include <stdexcept>
#include <string>

namespace t2t {

// The one table of exit codes. Below 128 an operator must not retry (the same
// run would fail the same way); from 128 on it should (Kubeflow's ExitCode
// restart policy draws the line there).
enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,       // a bug: an unexpected exception
  kUsage = 2,          // flag, model, problem, hparams set or hparam is wrong
  kBadData = 3,        // damaged or contradicting input data
  kMissing = 4,        // a file or folder that must be there is not
  kIo = 5,             // full disk, no permission, failed write
  kDiverged = 6,       // NaN or infinity in the loss
  kMismatch = 7,       // checkpoint, vocabulary and hparams do not fit together
  kInterrupted = 130,  // SIGINT
  // A peer was lost, a checkpoint could not be written in time after SIGTERM,
  // or another passing fault.
  kRetry = 138,
  kPreempted = 143,  // SIGTERM; what there is to save is saved
};

// An error a person is to read: what is wrong, what was expected, what to do.
// Thrown anywhere, caught once, by RunMain().
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what,
        const std::string& expected = "", const std::string& todo = "");

  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Short forms for the common kinds.
Error UsageError(const std::string& what, const std::string& expected = "",
                 const std::string& todo = "");
Error DataError(const std::string& what, const std::string& expected = "",
                const std::string& todo = "");
Error MissingError(const std::string& what, const std::string& expected = "",
                   const std::string& todo = "");
// Takes errno at the call; names the file and the errno's text.
Error IoError(const std::string& doing, const std::string& path);
Error MismatchError(const std::string& what, const std::string& expected = "",
                    const std::string& todo = "");

// Runs body, prints an Error as one message to stderr and turns it into the
// exit code. Every binary's main is `return t2t::RunMain(argc, argv, Body);`.
int RunMain(int argc, char** argv, int (*body)(int argc, char** argv));

}  // namespace t2t

#endif  // T2T_BASE_ERROR_H_
