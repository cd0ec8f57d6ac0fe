/** Version of the program, shown by `starling --version` and in `status`. */
export const VERSION = '0.1.0';
