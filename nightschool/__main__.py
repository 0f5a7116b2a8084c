from nightschool.cli import main

main()
