#ifndef T2T_LAUNCH_RUN_ESTIMATES_TEXT_H_
#define T2T_LAUNCH_RUN_ESTIMATES_TEXT_H_

#include <string>
#include <vector>

#include "launch/app/app.h"

namespace t2t {

// What training components costs; "" where nothing trains.
std::string EstimatesText(const App& app,
                          const std::vector<Component>& components);

}  // namespace t2t

#endif  // T2T_LAUNCH_RUN_ESTIMATES_TEXT_H_
