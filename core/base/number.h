/* number.h: decimal numbers as text, independent of the process's locale. */
#ifndef NGFF_BASE_NUMBER_H
#define NGFF_BASE_NUMBER_H

/* Shortest decimal form of a finite double that reads back to the same bits, at most 31 characters. Whole numbers
 * below 2^53 have neither point nor exponent. */
void number_print(double value, char to[32]);
/* Reads a decimal number at text ("-1.5e3"; no hexadecimal, no "inf", no leading blanks). end: the first character
 * after it, or text itself when there is no number. Overflow gives an infinity. */
double number_parse(const char *text, const char **end);

#endif
