/** Limits of the wire's types: elements of lists and bytes of UTF-8. Those of capabilities, which stay in the host, too. */

/** Most codecs that capabilities may list: twice as many as parameters. */
export const CAPABILITY_CODECS_MAX = 128;
/** Most header extensions that capabilities may list, audio and video together. */
export const CAPABILITY_EXTENSIONS_MAX = 64;
export const CODECS_MAX = 64;
export const EXTENSIONS_MAX = 32;
export const ENCODINGS_MAX = 16;
export const CODEC_PARAMETERS_MAX = 32;
export const FEEDBACK_MAX = 16;
/** Of a MIME type and of a parameter's name. */
export const NAME_BYTES_MAX = 64;
export const VALUE_BYTES_MAX = 1024;
export const FEEDBACK_BYTES_MAX = 32;
export const URI_BYTES_MAX = 256;
/** Of a MID, a RID and a scalability mode. */
export const ID_BYTES_MAX = 32;
export const CNAME_BYTES_MAX = 255;
