/* picotest: tests in C that speak TAP, in the least code that does */
#ifndef GM_PICOTEST_H
#define GM_PICOTEST_H

#ifdef __cplusplus
extern "C" {
#endif

/** One check. Evaluates the condition once and prints "ok N - file:line"; a failure also says on stderr what
 * failed. */
#define ok(cond) picotest_check((cond) ? 1 : 0, #cond, __FILE__, __LINE__)

/** Prints a remark into the report. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Runs the function as a nested test with a plan of its own; the outer test gets one line for it. */
void subtest(const char *name, void (*function)(void));

/** Prints the plan. @return the exit code: 0 if there were checks and all passed, else 1 */
int done_testing(void);

/** The function under ok(); @return is_ok */
int picotest_check(int is_ok, const char *expression, const char *file, int line);

#ifdef __cplusplus
}
#endif

#endif
