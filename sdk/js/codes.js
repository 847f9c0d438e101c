/** What a code of a problem is. A server makes `refused` of one that is none. */
export const CODE = /^(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*$/;
/** What is said of one that is none. */
export const NO_CODE = "is no code: lower-case letters, digits and `-` between them, as in `already-voted`, at most 64";
