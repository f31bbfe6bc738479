/* test_local_posix.c: plain files. */
#include "local_check.h"

int main(void)
{
    use_local_place(store_file_open);
    run_folder_checks();
    run_local_checks();
    leave_local_place();
    CHECK_EXIT();
}
