#ifndef T2T_FORMATS_WEBP_H_
#define T2T_FORMATS_WEBP_H_

#include <string_view>

#include "t2t/formats/image.h"

namespace t2t {

// In colours, by libwebp, which is opened when it is first needed. Throws a
// DataError where it is cut or damaged, is no WebP, or is larger than
// kMostPixels; a MissingError where there is no libwebp.
Image DecodeWebp(std::string_view bytes);

}  // namespace t2t

#endif  // T2T_FORMATS_WEBP_H_
