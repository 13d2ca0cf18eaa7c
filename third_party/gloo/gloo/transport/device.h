#ifndef T2T_THIRD_PARTY_GLOO_GLOO_TRANSPORT_DEVICE_H_
#define T2T_THIRD_PARTY_GLOO_GLOO_TRANSPORT_DEVICE_H_

namespace gloo::transport {

class Device;
class UnboundBuffer;

}  // namespace gloo::transport

#endif  // T2T_THIRD_PARTY_GLOO_GLOO_TRANSPORT_DEVICE_H_
