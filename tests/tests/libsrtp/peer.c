/*
 * libsrtp as a filter: one request after the other on standard input, each answered on standard output.
 *
 *   peer PROFILE HEXKEY
 *
 * PROFILE is the number of RFC 5764 4.1.2 and RFC 7714 14.2. A request is one letter (P protect, U unprotect RTP; p
 * protect, u unprotect RTCP), a length of two bytes (little endian) and so many bytes; an answer is libsrtp's status in
 * one byte, a length and so many bytes.
 */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 65536 };

static srtp_t session(int profile, unsigned char *key, srtp_ssrc_type_t direction) {
    srtp_policy_t policy;
    srtp_t made;
    memset(&policy, 0, sizeof policy);
    switch (profile) {
    case 1:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
        break;
    case 2:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
        break;
    case 7:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
        break;
    case 8:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
        break;
    default:
        exit(3);
    }
    policy.ssrc.type = direction;
    policy.key = key;
    policy.window_size = 1024;
    policy.allow_repeat_tx = 1;
    if (srtp_create(&made, &policy) != srtp_err_status_ok)
        exit(4);
    return made;
}

int main(int count, char **arguments) {
    static unsigned char key[64], packet[ROOM + 256];
    srtp_t out, in;
    unsigned digits, place, head[3];
    if (count != 3 || srtp_init() != srtp_err_status_ok)
        return 2;
    for (place = 0; place < sizeof key && sscanf(arguments[2] + 2 * place, "%2x", &digits) == 1; place++)
        key[place] = (unsigned char)digits;
    out = session(atoi(arguments[1]), key, ssrc_any_outbound);
    in = session(atoi(arguments[1]), key, ssrc_any_inbound);
    for (;;) {
        int status, bytes, byte;
        for (place = 0; place < 3; place++) {
            byte = getchar();
            if (byte == EOF)
                return place == 0 ? 0 : 5;
            head[place] = (unsigned)byte;
        }
        bytes = (int)(head[1] | head[2] << 8);
        if (fread(packet, 1, (size_t)bytes, stdin) != (size_t)bytes)
            return 6;
        switch (head[0]) {
        case 'P': status = srtp_protect(out, packet, &bytes); break;
        case 'U': status = srtp_unprotect(in, packet, &bytes); break;
        case 'p': status = srtp_protect_rtcp(out, packet, &bytes); break;
        case 'u': status = srtp_unprotect_rtcp(in, packet, &bytes); break;
        default: return 7;
        }
        if (status != srtp_err_status_ok)
            bytes = 0;
        putchar(status);
        putchar(bytes & 255);
        putchar(bytes >> 8);
        fwrite(packet, 1, (size_t)bytes, stdout);
        fflush(stdout);
    }
}
