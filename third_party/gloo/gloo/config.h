#ifndef T2T_THIRD_PARTY_GLOO_CONFIG_H_
#define T2T_THIRD_PARTY_GLOO_CONFIG_H_

// Nothing of it is used.

#endif  // T2T_THIRD_PARTY_GLOO_CONFIG_H_
