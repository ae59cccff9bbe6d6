"""What is shown of results: tables, figures for screen and paper, and a page that works offline."""
